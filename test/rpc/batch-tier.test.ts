/** The service tier of batches, through the whole gateway: nobody who waits for an answer gets a dearer one instead. */
import { expect, test } from "vitest";
import { startBoth } from "../support/gateway.ts";

test("is refused to whoever waits, by its field and with the way out, and reaches no provider", async () => {
  await using both = await startBoth();
  const reply = await fetch(`${both.url}/v1/gateway/chat`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      messages: [{ role: "user", content: "Hello" }],
      model: "openai/gpt-4o",
      parameters: { service_tier: "batch" },
    }),
  });
  expect(reply.status).toBe(400);
  expect(await reply.text()).toMatch(/parameters\.service_tier: batch .* SubmitJob/);
  expect(both.emulator.meter.requests).toEqual([]);
});
