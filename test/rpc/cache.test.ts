/** What is answered from the cache, through the whole gateway: what callers see, and what the provider does not. */
import { expect, test } from "vitest";
import { startBoth } from "../support/gateway.ts";
import { http1 } from "../support/http.ts";

const CACHE = { cache: { enabled: true } };

async function ask(url: string, request: object = {}, path = "chat") {
  const body = { messages: [{ role: "user", content: "What is a gateway?" }], ...request };
  const reply = await http1(`${url}/v1/gateway/${path}`, JSON.stringify(body));
  return { status: reply.status, json: JSON.parse(await reply.text()) };
}

test("the second caller pays nothing, and hears what the first one saved it", async () => {
  await using both = await startBoth(CACHE);
  const { json: first } = await ask(both.url);
  expect(first).toMatchObject({ cached: false, cache_kind: "", cache: { outcome: "miss" } });
  const { json: second } = await ask(both.url);
  expect(second).toMatchObject({
    response: first.response,
    finish_reason: first.finish_reason,
    provider: "openai",
    model: "gpt-4o",
    cached: true,
    cache_kind: "exact",
    cache: { outcome: "hit", source_request_id: first.request_id },
    cost: { actual_usd: 0, saved_usd: first.cost.actual_usd, input_tokens: 0 },
    attempts: [],
  });
  expect(second.request_id).not.toBe(first.request_id);
  expect(both.emulator.meter.requests).toHaveLength(1);
});
