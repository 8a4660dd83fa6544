import { beforeEach, describe, expect, it } from "vitest";
import type { RoutedCall } from "../../src/core/call.ts";
import { event, type Reply } from "../../src/core/reply.ts";
import { guard } from "../../src/layers/guard.ts";
import { routedCallOf } from "../support/call.ts";
import { VirtualClock } from "../support/clock.ts";

const RULE = { minTokensPerSecond: 4, windowMs: 2_000 };

let clock: VirtualClock;
beforeEach(() => {
  clock = new VirtualClock();
});

/** Writes a word of one token each so many milliseconds, for ever, until its signal ends it. */
function writing(everyMs: number) {
  return async ({ signal }: RoutedCall): Promise<Reply> => {
    async function* events() {
      for (;;) {
        await new Promise<void>((resolve, reject) => {
          const timer = clock.after(everyMs, resolve);
          signal.addEventListener("abort", () => {
            timer.cancel();
            reject(signal.reason);
          });
        });
        yield [event({ token: "word" })];
      }
    }
    return { events: events() };
  };
}

/** Reads on, so long after each word; tells how many came, and what ended it. */
function reading(reply: Reply, pauseMs = 0) {
  const seen: { words: number; error?: unknown } = { words: 0 };
  void (async () => {
    try {
      for await (const _ of reply.events) {
        seen.words++;
        if (pauseMs > 0) await new Promise<void>((resolve) => void clock.after(pauseMs, resolve));
      }
    } catch (error) {
      seen.error = error;
    }
  })();
  return seen;
}

describe("a stream", () => {
  it("that crawls is ended after a window of that", async () => {
    const seen = reading(await guard(() => RULE, clock)(writing(500))(routedCallOf()));
    await clock.advance(1_999);
    expect(seen.error).toBeUndefined();
    await clock.advance(1);
    expect(seen.error).toMatchObject({
      kind: "stream_too_slow",
      message: "openai wrote fewer than 4 tokens a second for 2000 ms",
    });
    expect(clock.pending).toBe(0);
  });

  it("that has stopped altogether is ended as well", async () => {
    const seen = reading(await guard(() => RULE, clock)(writing(1_000_000))(routedCallOf()));
    await clock.advance(2_000);
    expect(seen.error).toMatchObject({ kind: "stream_too_slow" });
  });

  it("that is fast enough goes on", async () => {
    const seen = reading(await guard(() => RULE, clock)(writing(240))(routedCallOf()));
    await clock.advance(60_000);
    expect(seen.error).toBeUndefined();
    expect(seen.words).toBe(250);
  });

  it("is not to blame for a slow reader", async () => {
    const seen = reading(await guard(() => RULE, clock)(writing(10))(routedCallOf()), 3_000);
    await clock.advance(60_000);
    expect(seen.error).toBeUndefined();
  });
});

it("leaves answers alone that are no streams, and those without a rule", async () => {
  const below = writing(1_000_000);
  let given: RoutedCall | undefined;
  const layer = (rule: typeof RULE | undefined) =>
    guard(
      () => rule,
      clock,
    )((call) => {
      given = call;
      return below(call);
    });
  const unary = routedCallOf({ streaming: false });
  await layer(RULE)(unary);
  expect(given).toBe(unary);
  const stream = routedCallOf();
  await layer(undefined)(stream);
  expect(given).toBe(stream);
});
