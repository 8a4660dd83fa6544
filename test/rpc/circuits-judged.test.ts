/** What opens a circuit from outside, and what becomes of the call that does. */
import { expect, test } from "vitest";
import { VirtualClock } from "../support/clock.ts";
import { startBoth } from "../support/gateway.ts";
import { http1 } from "../support/http.ts";

const BREAKER = { retries: { max: 0 }, circuit_breaker: { min_calls: 4, open_for: "30s" } };

const saying = (content: string, fields: object = {}) =>
  JSON.stringify({ messages: [{ role: "user", content }], model: "openai/gpt-4o", ...fields });

const FAILING = saying("[[emulate: status=500]] Hello");

test("streams that speak count as served until they are over, so that a few failures beside them open nothing", async () => {
  await using both = await startBoth({ resilience: BREAKER });
  const at = `${both.url}/v1/gateway`;
  const fail = async (times: number) => {
    for (let n = 0; n < times; n++) expect((await http1(`${at}/chat`, FAILING)).status).toBe(503);
  };
  const whole = async () => {
    const { circuits } = JSON.parse(await (await fetch(`${at}/circuits`)).text());
    return circuits.find((one: Record<string, unknown>) => one.provider === "openai" && !one.model);
  };
  const leaving = new AbortController();
  const long = saying("[[emulate: interval_ms=600000 tokens=9]] Hello");
  const begun = Array.from({ length: 7 }, async () => {
    const { pieces } = await http1(`${at}/stream`, long, { signal: leaving.signal });
    // To leave the loop early would be to leave.
    const { value } = await pieces[Symbol.asyncIterator]().next();
    expect(value).toContain("token");
  });
  await Promise.all(begun);
  await fail(6);
  expect(await whole()).toMatchObject({ state: "closed", attempts: 13, failures: 6 });
  leaving.abort();
  await expect.poll(async () => (await whole()).attempts).toBe(6);
  await fail(1);
  expect(await whole()).toMatchObject({ state: "open", attempts: 7, failures: 7 });
});

test("a burst of a hundred streams of which three in ten are refused opens nothing, however late the others speak", async () => {
  await using both = await startBoth({ resilience: { retries: { max: 0 } } });
  const burst = Array.from({ length: 100 }, async (_, number) => {
    const content =
      number % 10 < 3 ? "[[emulate: status=500]] Hello" : "[[emulate: first_token_ms=300]] Hello";
    const reply = await http1(`${both.url}/v1/gateway/stream`, saying(content));
    await reply.text();
    return reply.status;
  });
  const served = (await Promise.all(burst)).filter((status) => status === 200);
  expect(served).toHaveLength(70);
});

test("a call whose failure opens the circuit goes to the next target at once, without a wait for what is shut", async () => {
  // Nobody listens on port 1.
  const dead = { kind: "openai_compatible", base_url: "http://127.0.0.1:1/v1", default_model: "gpt-4o" };
  await using both = await startBoth(
    {
      resilience: { ...BREAKER, retries: { max: 2, base_delay: "1s" } },
      providers: { dead },
      fallback_chains: { default: ["dead/gpt-4o", "openai/gpt-4o"] },
    },
    // Time stands still: whoever waits would wait for ever.
    { clock: new VirtualClock(Date.now()) },
  );
  const at = `${both.url}/v1/gateway/chat`;
  const model = "dead/gpt-4o";
  const alone = saying("Hello", { model, fallback_chain: "none", resilience: { max_retries: 0 } });
  for (let n = 0; n < 3; n++) expect((await http1(at, alone)).status).toBe(503);
  const { attempts } = JSON.parse(await (await http1(at, saying("Hello", { model }))).text());
  const told = attempts.map((one: Record<string, string>) =>
    [one.provider, one.trigger, one.outcome].join(" "),
  );
  expect(told).toEqual(["dead first failed", "openai fallback ok"]);
});
