/** The layer of callers' keys by itself, on a store that lasts, stops answering, or is left behind. */
import { expect, test } from "vitest";
import type { Call, Service } from "../../src/core/call.ts";
import { Failure } from "../../src/core/failure.ts";
import type { IdempotencyStore } from "../../src/core/idempotency-store.ts";
import type { PicoUsd } from "../../src/core/money.ts";
import { event } from "../../src/core/reply.ts";
import { type IdempotentMeans, idempotent } from "../../src/layers/idempotent.ts";
import { openStore } from "../../src/store/store.ts";
import { attemptOf, type CallInit, callOf, eventsOf, replyOf, spoken } from "../support/call.ts";
import { VirtualClock } from "../support/clock.ts";
import { temporaryFolder } from "../support/stores.ts";

const KEYED = { context: { idempotencyKey: "once" } };

async function lasting() {
  const store = await openStore({ dataDir: temporaryFolder(), instance: "here", onDeath: () => {} });
  const clock = new VirtualClock();
  const errors: unknown[] = [];
  const means: IdempotentMeans = {
    store: store.idempotency,
    underWay: new Map(),
    windowMs: 60_000,
    clock,
    onError: (error) => errors.push(error),
  };
  return { means, clock, errors, [Symbol.asyncDispose]: () => store.close() };
}

let calls = 0;
function nextCall(init: CallInit = KEYED): Call {
  const id = `call-${++calls}`;
  return callOf({ ...init, context: { callId: id, requestId: id, ...init.context } });
}

/** Pays for each call, and says how many there were. */
function paid(events = spoken(["Hel", "lo"]), endsWith?: Error) {
  const made: Call[] = [];
  const service: Service = async (call) => {
    made.push(call);
    call.tally.attempts.push(attemptOf({ outcome: endsWith ? "failed" : "ok", actualPicoUsd: 5n }));
    return replyOf(events, endsWith);
  };
  return { made, service };
}

async function outcome(service: Service, call: Call): Promise<string> {
  try {
    const events = await eventsOf(await service(call));
    return events.map(({ token = "" }) => token).join("");
  } catch (error) {
    return error instanceof Failure ? error.kind : String(error);
  }
}

test("what has no key, or is no chat, or is a job's, is none of its business", async () => {
  await using here = await lasting();
  await using gone = await lasting();
  await gone[Symbol.asyncDispose]();
  const { made, service } = paid();
  // A store that does not answer is not asked.
  const layer = idempotent({ ...here.means, store: gone.means.store })(service);
  const job = { protocol: "job", idempotencyKey: "" } as const;
  const request = { idempotencyKey: "once" };
  const others = [
    nextCall({}),
    nextCall({ ...KEYED, embed: { input: ["a"] } }),
    nextCall({ context: job, request }),
  ];
  for (const call of others) expect(await outcome(layer, call)).toBe("Hello");
  expect(made).toEqual(others);
});

test("a key stands for its request as long as the configuration says, from the answer on", async () => {
  await using here = await lasting();
  const { made, service } = paid();
  const layer = idempotent(here.means)(service);
  await outcome(layer, nextCall());
  await here.clock.advance(59_999);
  const again = nextCall();
  expect(await outcome(layer, again)).toBe("Hello");
  expect(again.tally.served).toEqual({
    kind: "idempotent",
    provider: "openai",
    model: "gpt-4o",
    costPicoUsd: 5n as PicoUsd,
  });
  expect(made).toHaveLength(1);
  await here.clock.advance(1);
  expect(await outcome(layer, nextCall())).toBe("Hello");
  expect(made).toHaveLength(2);
});

test("a reload that makes the layer anew keeps what is under way", async () => {
  await using here = await lasting();
  const { made, service } = paid();
  const speak = Promise.withResolvers<void>();
  const slow: Service = async (call) => {
    const reply = await service(call);
    await speak.promise;
    return reply;
  };
  const first = outcome(idempotent(here.means)(slow), nextCall());
  const second = outcome(idempotent({ ...here.means, windowMs: 5 })(slow), nextCall());
  speak.resolve();
  expect(await Promise.all([first, second])).toEqual(["Hello", "Hello"]);
  expect(made).toHaveLength(1);
});

test("nothing is sent while the store does not answer, and it may be tried again", async () => {
  const here = await lasting();
  await here[Symbol.asyncDispose]();
  const { made, service } = paid();
  const layer = idempotent(here.means)(service);
  expect(await outcome(layer, nextCall())).toBe("idempotency_unavailable");
  expect(await outcome(layer, nextCall())).toBe("idempotency_unavailable");
  expect(here.errors).toHaveLength(2);
  expect(made).toEqual([]);
});

test("an answer whose end could not be written is given, and never made again", async () => {
  await using here = await lasting();
  const { store } = here.means;
  const refusing: IdempotencyStore = {
    claim: (...args) => store.claim(...args),
    finish: () => Promise.reject(new Error("the disk is full")),
    free: () => Promise.reject(new Error("the disk is full")),
    sweep: (nowMs) => store.sweep(nowMs),
  };
  const { made, service } = paid();
  const layer = idempotent({ ...here.means, store: refusing })(service);
  expect(await outcome(layer, nextCall())).toBe("Hello");
  expect(here.errors).toHaveLength(1);
  expect(await outcome(layer, nextCall())).toBe("outcome_unknown");
  expect(made).toHaveLength(1);
});

test("an answer that is too large is given once, and the next caller hears why not again", async () => {
  await using here = await lasting();
  const large = Array.from({ length: 5 }, () => [event({ token: "x".repeat(1024 * 1024) })]);
  const { made, service } = paid([...large, [event({ done: true, finishReason: "stop" })]]);
  const layer = idempotent(here.means)(service);
  expect(await outcome(layer, nextCall())).toHaveLength(5 * 1024 * 1024);
  await expect(layer(nextCall())).rejects.toThrow("is not kept: it has more than 4194304 bytes");
  expect(made).toHaveLength(1);
});

test("a reply that is not read to its end was broken off", async () => {
  await using here = await lasting();
  const { made, service } = paid();
  const layer = idempotent(here.means)(service);
  for await (const _ of (await layer(nextCall())).events) break;
  expect(await outcome(layer, nextCall())).toBe("outcome_unknown");
  expect(made).toHaveLength(1);
});

test.each<[string, Parameters<typeof attemptOf>[0][], string]>([
  ["no attempt", [], "provider_error"],
  ["attempts that cost nothing", [{ outcome: "failed", actualPicoUsd: 0n }], "provider_error"],
  [
    "a look-up in the semantic cache",
    [
      { outcome: "ok", actualPicoUsd: 7n, trigger: "semantic_cache" },
      { outcome: "failed", actualPicoUsd: 0n },
    ],
    "provider_error",
  ],
])("a call that failed with %s is made again", async (_, attempts, kind) => {
  await using here = await lasting();
  let made = 0;
  const layer = idempotent(here.means)(async (call) => {
    made++;
    call.tally.attempts.push(...attempts.map((fields) => attemptOf(fields)));
    throw new Failure("provider_error", "it failed");
  });
  for (const times of [1, 2]) {
    expect(await outcome(layer, nextCall())).toBe(kind);
    expect(made).toBe(times);
  }
});

test.each<[string, Parameters<typeof attemptOf>[0]]>([
  ["that is not settled", { outcome: "pending" }],
  ["of unknown cost", { outcome: "failed" }],
  ["that cost something", { outcome: "failed", actualPicoUsd: 1n }],
])("a call that failed with an attempt %s is not made again", async (_, fields) => {
  await using here = await lasting();
  let made = 0;
  const layer = idempotent(here.means)(async (call) => {
    made++;
    call.tally.attempts.push(attemptOf(fields), attemptOf({ outcome: "failed", actualPicoUsd: 0n }));
    throw new Failure("provider_overloaded", "it was busy", { retryAfterMs: 1_000 });
  });
  await outcome(layer, nextCall());
  const again = await layer(nextCall()).catch((error: unknown) => error);
  expect(again).toMatchObject({ kind: "provider_overloaded", retryAfterMs: undefined });
  expect(made).toBe(1);
});

test("what a sensitive request failed with is not kept in its provider's words", async () => {
  await using here = await lasting();
  const { service } = paid([], new Failure("cut", "it broke at: my secret"));
  const layer = idempotent(here.means)(service);
  const call = () => nextCall({ ...KEYED, request: { sensitive: true } });
  expect(await outcome(layer, call())).toBe("cut");
  const again = await layer(call()).catch((error: unknown) => error);
  expect(again).toMatchObject({ kind: "cut" });
  expect((again as Failure).message).not.toContain("my secret");
});
