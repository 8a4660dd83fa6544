/** When the client tries again, how long it waits, and what becomes of what the first attempt had cost. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { GatewayOptions, Retry, RetryOptions } from "../../../clients/typescript/src/gateway.ts";
import { VirtualClock } from "../../support/clock.ts";
import { freePort } from "../../support/free-port.ts";
import { type GatewayUnderTest, startBoth } from "../../support/gateway.ts";
import { lossyBefore } from "../../support/lossy.ts";
import { type ScriptedProvider, scriptedProvider } from "../../support/provider.ts";
import { ask, failureOf, WAYS, type Way } from "./ways.ts";

/** Refuses every first request of a conversation for two seconds, and answers the second. */
let provider: ScriptedProvider;
let both: GatewayUnderTest;
beforeAll(async () => {
  const seen = new Set<string>();
  provider = await scriptedProvider((reply, { body }) => {
    const { messages, stream } = JSON.parse(body);
    const question = JSON.stringify(messages);
    if (!seen.has(question)) {
      seen.add(question);
      reply.writeHead(429, { "content-type": "application/json", "retry-after": "2" });
      return void reply.end('{"error":{"message":"slower","type":"requests","code":"rate_limit_exceeded"}}');
    }
    const usage = { prompt_tokens: 3, completion_tokens: 1, total_tokens: 4 };
    const said = { role: "assistant", content: "Hello" };
    const choice = { index: 0, finish_reason: "stop", ...(stream ? { delta: said } : { message: said }) };
    const answer = JSON.stringify({ id: "1", model: "gpt-4o", choices: [choice], usage });
    reply.writeHead(200, { "content-type": stream ? "text/event-stream" : "application/json" });
    reply.end(stream ? `data: ${answer}\n\ndata: [DONE]\n\n` : answer);
  });
  both = await startBoth({
    providers: {
      busy: { kind: "openai_compatible", base_url: `${provider.origin}/v1`, prices: "openai" },
    },
  });
});
afterAll(async () => {
  await both[Symbol.asyncDispose]();
  await provider[Symbol.asyncDispose]();
});

/** A client in virtual time, and what it says of its retries. */
function waiting({ connect }: Way, retry: RetryOptions = {}, options: Partial<GatewayOptions> = {}) {
  const clock = new VirtualClock();
  const retries: Retry[] = [];
  const { promise: retried, resolve } = Promise.withResolvers<void>();
  const onRetry = (told: Retry) => {
    retries.push(told);
    resolve();
  };
  const gateway = connect({ baseUrl: both.url, clock, retry: { ...retry, onRetry }, ...options });
  return { gateway, clock, retries, retried };
}

/** A question that the provider has not heard yet. */
function anew() {
  return { ...ask(crypto.randomUUID()), model: "busy/gpt-4o" };
}

describe.each(WAYS)("$name", (way) => {
  test("a chat waits as long as the gateway says, and no longer", async () => {
    const before = provider.requests.length;
    const { gateway, clock, retries, retried } = waiting(way);
    const reply = gateway.chat(anew());
    await retried;
    await clock.advance(1_999);
    expect(clock.pending).toBe(1);
    expect(provider.requests).toHaveLength(before + 1);
    await clock.advance(1);
    expect((await reply).response).toBe("Hello");
    expect(clock.pending).toBe(0);
    expect(provider.requests).toHaveLength(before + 2);
    expect(retries).toMatchObject([
      {
        attempt: 1,
        waitMs: 2_000,
        error: { kind: "provider_rate_limited", costUsd: 0, receipt: { attempts: [{ outcome: "failed" }] } },
      },
    ]);
    expect(retries[0]?.error.requestId).toBe((await reply).requestId);
  });

  test("a stream is made again before its first event", async () => {
    const { gateway, clock, retries, retried } = waiting(way);
    const stream = gateway.stream(anew());
    const text = stream.text();
    await retried;
    await clock.advance(2_000);
    expect(await text).toBe("Hello");
    expect(await stream.receipt).toMatchObject({ cost: { outputTokens: 1 } });
    expect(retries).toHaveLength(1);
  });

  test("the last failure is thrown, with those before it", async () => {
    const { gateway, clock, retried, retries } = waiting(way, { maxAttempts: 2 });
    const failing = failureOf(gateway.chat(ask("[[emulate: status=429 retry_after=3]]")));
    await retried;
    await clock.advance(3_000);
    const failure = await failing;
    expect(failure.previous).toEqual(retries.map(({ error }) => error));
    expect(failure.previous).toMatchObject([
      { receipt: { attempts: [{ outcome: "failed" }] }, previous: [] },
    ]);
    expect(failure.receipt?.attempts).toHaveLength(1);
  });

  test("a signal ends the wait at once", async () => {
    const leaving = new AbortController();
    const { gateway, clock, retried } = waiting(way);
    const before = provider.requests.length;
    const failing = failureOf(gateway.chat(anew(), { signal: leaving.signal }));
    await retried;
    leaving.abort();
    expect(await failing).toMatchObject({
      kind: "cancelled",
      previous: [{ kind: "provider_rate_limited" }],
    });
    expect(clock.pending).toBe(0);
    expect(provider.requests).toHaveLength(before + 1);
  });

  test.each<[string, RetryOptions, object, Partial<GatewayOptions>]>([
    ["than the caller's deadline", {}, {}, { timeoutMs: 2_000 }],
    ["than the request's own deadline", {}, { timeoutMs: 2_000 }, {}],
    ["than the longest wait", { maxWaitMs: 1_999 }, {}, {}],
    ["when it may try but once", { maxAttempts: 1 }, {}, {}],
  ])("waits no longer %s", async (_, retry, fields, options) => {
    const { gateway, retries } = waiting(way, retry, options);
    const failure = await failureOf(gateway.chat({ ...anew(), ...fields }));
    expect(failure).toMatchObject({ kind: "provider_rate_limited", retryAfterMs: 2_000, previous: [] });
    expect(retries).toEqual([]);
  });

  test("what the gateway gives no time for is not tried again", async () => {
    const { gateway, retries } = waiting(way);
    expect(await failureOf(gateway.chat(ask("[[emulate: status=500]]")))).toMatchObject({ previous: [] });
    expect(retries).toEqual([]);
  });
});

test.each(WAYS.slice(0, 3))("$name: a refused connection is tried again", async (way) => {
  const port = await freePort();
  const { gateway, clock, retried, retries } = waiting(way, {}, { baseUrl: `http://127.0.0.1:${port}` });
  const reply = gateway.chat(ask("Hello"));
  await retried;
  await using late = await startBoth({ server: { host: "127.0.0.1", port } });
  await clock.advance(250);
  expect((await reply).response).toMatch(/^This is the answer/);
  expect(retries).toMatchObject([{ waitMs: 250, error: { kind: "gateway_unreachable" } }]);
  expect(late.emulator.meter.requests).toHaveLength(1);
});

describe("a call whose answer is lost on its way", () => {
  const ways = WAYS.filter(({ name }) => name === "Connect" || name === "Connect by fetch");
  test.each(ways)("$name: is made again under a key, and paid for once", async (way) => {
    await using behind = await startBoth();
    await using lossy = await loseFirst(behind.url);
    for (const { fields = {}, options = {} } of [
      { fields: { idempotencyKey: "a-field" } },
      { options: { headers: { "idempotency-key": "a-header" } } },
    ]) {
      lossy.loseNext();
      const { gateway, clock, retried } = waiting(way, {}, { baseUrl: lossy.url });
      const reply = gateway.chat({ ...ask("Hello"), ...fields }, options);
      await retried;
      await clock.advance(250);
      expect(await reply).toMatchObject({ cacheKind: "idempotent", cost: { actualPicoUsd: 0n } });
    }
    expect(behind.emulator.meter.requests).toHaveLength(2);
    lossy.loseNext();
    const { gateway, retries } = waiting(way, {}, { baseUrl: lossy.url });
    expect(await failureOf(gateway.chat(ask("Hello")))).toMatchObject({ kind: "gateway_unreachable" });
    expect(retries).toEqual([]);
  });

  test.each(ways)("$name: is not made again under a key of which nobody takes notice", async (way) => {
    await using behind = await startBoth();
    await using lossy = await loseFirst(behind.url);
    lossy.loseNext();
    const { gateway, retries } = waiting(way, {}, { baseUrl: lossy.url });
    const call = gateway.embed(
      { model: "openai", input: ["Hello"] },
      { headers: { "idempotency-key": "1" } },
    );
    // Time stands still: a second try would wait for ever.
    expect(await failureOf(call)).toMatchObject({ kind: "gateway_unreachable" });
    expect(retries).toEqual([]);
    expect(behind.emulator.meter.requests).toHaveLength(1);
  });
});

/** A way to the gateway that loses the next answer when it is told to. */
async function loseFirst(target: string) {
  let losing = false;
  const lossy = await lossyBefore(target, () => {
    const isLost = losing;
    losing = false;
    return isLost;
  });
  return {
    ...lossy,
    loseNext() {
      losing = true;
    },
  };
}
