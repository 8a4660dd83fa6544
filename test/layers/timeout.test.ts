import { getEventListeners } from "node:events";
import { afterEach, describe, expect, it } from "vitest";
import type { RoutedCall, Service } from "../../src/core/call.ts";
import { Failure } from "../../src/core/failure.ts";
import { type Batch, event } from "../../src/core/reply.ts";
import { timeout } from "../../src/layers/timeout.ts";
import { type CallInit, eventsOf, replyOf, routedCallOf, spoken } from "../support/call.ts";
import { settled, VirtualClock } from "../support/clock.ts";

const LIMITS = { totalMs: 10_000, firstEventMs: 2_000, idleMs: 1_000, streamMs: 60_000 };

const clock = new VirtualClock();
const caller = new AbortController();
const layer = timeout(() => LIMITS, clock);

// Whatever became of a call, nothing of it is left behind.
afterEach(() => {
  expect(clock.pending).toBe(0);
  expect(getEventListeners(caller.signal, "abort")).toEqual([]);
});

/** A provider that answers after a while, as one does that obeys its signal. */
function after<T>(ms: number, signal: AbortSignal, answer: () => T): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(ms, () => resolve(answer()));
    signal.addEventListener("abort", () => {
      timer.cancel();
      reject(signal.reason);
    });
  });
}

/** Commits at once or later, then says a token after each of the pauses. */
function streams(pausesMs: readonly number[], commitMs = 0): Service<RoutedCall> {
  return async ({ signal }) => {
    async function* events(): AsyncGenerator<Batch> {
      yield [event({ token: "first" })];
      for (const ms of pausesMs) yield await after(ms, signal, () => [event({ token: `after ${ms}` })]);
      yield [event({ done: true })];
    }
    return commitMs > 0 ? after(commitMs, signal, () => ({ events: events() })) : { events: events() };
  };
}

const answersAfter =
  (ms: number): Service<RoutedCall> =>
  ({ signal }) =>
    after(ms, signal, () => replyOf(spoken(["Hello"])));

function calling(next: Service<RoutedCall>, init: CallInit = {}) {
  return layer(next)(routedCallOf({ signal: caller.signal, ...init }));
}

/** What a promise came to, to be looked at while time moves. */
function watched<T>(promise: Promise<T>) {
  const seen: { value?: T; error?: unknown } = {};
  promise.then(
    (value) => Object.assign(seen, { value }),
    (error) => Object.assign(seen, { error }),
  );
  return seen;
}

describe("a unary call", () => {
  it("may take the total time, and not a millisecond more", async () => {
    const inTime = watched(calling(answersAfter(10_000 - 1), { streaming: false }).then(eventsOf));
    await clock.advance(10_000);
    expect(inTime.value).toHaveLength(2);
    const late = watched(calling(answersAfter(10_001), { streaming: false }));
    await clock.advance(9_999);
    expect(late).toEqual({});
    await clock.advance(1);
    expect(late.error).toMatchObject({
      kind: "provider_timeout",
      message: "openai did not finish within 10000 ms",
    });
  });

  it("is not bound by the limits of a stream", async () => {
    const seen = watched(calling(answersAfter(LIMITS.firstEventMs + 1), { streaming: false }).then(eventsOf));
    await clock.advance(LIMITS.firstEventMs + 1);
    expect(seen.value).toHaveLength(2);
  });
});

describe("a stream", () => {
  it("must begin in time", async () => {
    const seen = watched(calling(streams([], 2_001)));
    await clock.advance(1_999);
    expect(seen).toEqual({});
    await clock.advance(1);
    expect(seen.error).toMatchObject({
      kind: "provider_timeout",
      message: "openai said nothing for 2000 ms",
    });
  });

  it("must not fall silent between events, of which each starts the wait anew", async () => {
    const seen = watched(calling(streams([999, 999, 999, 1_001])).then(eventsOf));
    await clock.advance(3 * 999 + 999);
    expect(seen).toEqual({});
    await clock.advance(1);
    expect(seen.error).toMatchObject({
      kind: "provider_timeout",
      message: "openai fell silent for 1000 ms within a stream",
    });
  });

  it("must end in time, however lively it is", async () => {
    const seen = watched(calling(streams(Array(100).fill(900))).then(eventsOf));
    await clock.advance(59_999);
    expect(seen).toEqual({});
    await clock.advance(1);
    expect(seen.error).toMatchObject({
      kind: "provider_timeout",
      message: "openai did not finish within 60000 ms",
    });
  });

  it("does not count the time that a slow caller takes", async () => {
    const reply = await calling(streams([999]));
    const reader = reply.events[Symbol.asyncIterator]();
    await reader.next();
    await clock.advance(30_000);
    const next = watched(reader.next());
    await clock.advance(999);
    expect(next.value).toMatchObject({ value: [{ token: "after 999" }] });
    await reader.next();
    expect(await reader.next()).toMatchObject({ done: true });
  });

  it("is watched again once the slow caller is back", async () => {
    const reply = await calling(streams([1_001]));
    const reader = reply.events[Symbol.asyncIterator]();
    await reader.next();
    await clock.advance(30_000);
    const next = watched(reader.next());
    await clock.advance(1_000);
    expect(next.error).toMatchObject({ kind: "provider_timeout" });
  });

  it("leaves nothing behind when its reader goes away", async () => {
    const reply = await calling(streams([1, 1, 1]));
    for await (const batch of reply.events) {
      expect(batch).toMatchObject([{ token: "first" }]);
      break;
    }
  });
});

describe.each([
  ["unary", false],
  ["stream", true],
])("any call (%s)", (_, streaming) => {
  const slow = streaming ? streams([], 1_500) : answersAfter(1_500);

  it("passes the failure of the provider on as it is", async () => {
    const failure = new Failure("unreachable", "away");
    await expect(calling(() => Promise.reject(failure), { streaming })).rejects.toBe(failure);
  });

  it("ends with the caller's own reason when the caller leaves", async () => {
    const leaving = new AbortController();
    const seen = watched(calling(slow, { streaming, signal: leaving.signal }));
    await clock.advance(100);
    const reason = new Failure("cancelled", "the caller left");
    leaving.abort(reason);
    await settled();
    expect(seen.error).toBe(reason);
    expect(getEventListeners(leaving.signal, "abort")).toEqual([]);
  });

  it("is not even tried for a caller who has left", async () => {
    const reason = new Failure("cancelled", "the caller left");
    const seen = watched(
      calling(({ signal }) => Promise.reject(signal.reason), {
        streaming,
        signal: AbortSignal.abort(reason),
      }),
    );
    await settled();
    expect(seen.error).toBe(reason);
  });
});

it("ends a stream under way with the caller's own reason", async () => {
  const leaving = new AbortController();
  const seen = watched(calling(streams([900]), { signal: leaving.signal }).then(eventsOf));
  await clock.advance(100);
  const reason = new Failure("cancelled", "the caller left");
  leaving.abort(reason);
  await settled();
  expect(seen.error).toBe(reason);
  expect(getEventListeners(leaving.signal, "abort")).toEqual([]);
});

it("takes the limits of the target", async () => {
  const seen: unknown[] = [];
  const layer = timeout((target) => {
    seen.push(target);
    return LIMITS;
  }, clock);
  const target = { provider: "azure", model: "gpt-4" };
  const next: Service<RoutedCall> = async () => replyOf(spoken(["Hello"]));
  await layer(next)(routedCallOf({ target, streaming: false, signal: caller.signal }));
  expect(seen).toEqual([target]);
});
