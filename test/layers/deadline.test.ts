import { describe, expect, it } from "vitest";
import type { Call } from "../../src/core/call.ts";
import { Failure } from "../../src/core/failure.ts";
import { deadline } from "../../src/layers/deadline.ts";
import { callOf, eventsOf, replyOf, spoken } from "../support/call.ts";
import { VirtualClock } from "../support/clock.ts";

/** A service below that goes on until it is ended. */
function endless(seen: Call[]) {
  return (call: Call) => {
    seen.push(call);
    return new Promise<never>((_, reject) => {
      call.signal.addEventListener("abort", () => reject(call.signal.reason));
    });
  };
}

describe("a call with timeout_ms", () => {
  it("is over in time, whatever is tried for it, by its own fault", async () => {
    const clock = new VirtualClock();
    const seen: Call[] = [];
    const ended = deadline(clock)(endless(seen))(callOf({ request: { timeoutMs: 500 } })).catch((e) => e);
    await clock.advance(499);
    expect(seen[0]?.signal.aborted).toBe(false);
    await clock.advance(1);
    expect(await ended).toMatchObject({
      kind: "deadline_exceeded",
      message: "not finished within timeout_ms, 500 ms",
    });
  });

  it("tells those below when it must be over, by whoever wants that soonest", async () => {
    const clock = new VirtualClock();
    const now = clock.now();
    const told = async (deadlineAtMs: number | undefined) => {
      let seen: Call | undefined;
      const below = async (call: Call) => {
        seen = call;
        return replyOf(spoken(["Hello"]));
      };
      const given = deadlineAtMs === undefined ? {} : { deadlineAtMs };
      await eventsOf(await deadline(clock)(below)(callOf({ request: { timeoutMs: 500 }, ...given })));
      return seen?.deadlineAtMs;
    };
    expect(await told(undefined)).toBe(now + 500);
    expect(await told(now + 200)).toBe(now + 200);
    expect(await told(now + 900)).toBe(now + 500);
  });

  it("ends with the caller's own reason when the caller leaves, and leaves no timer behind", async () => {
    const clock = new VirtualClock();
    const leaving = new AbortController();
    const call = callOf({ request: { timeoutMs: 500 }, signal: leaving.signal });
    const ended = deadline(clock)(endless([]))(call).catch((e) => e);
    const reason = new Failure("cancelled", "the caller left");
    leaving.abort(reason);
    expect(await ended).toBe(reason);
    expect(clock.pending).toBe(0);
  });
});
