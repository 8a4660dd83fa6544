import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Call, RequestContext } from "../../src/core/call.ts";
import { Failure } from "../../src/core/failure.ts";
import { admit, type RateLimits } from "../../src/layers/admit.ts";
import { callOf, replyOf, spoken } from "../support/call.ts";

// The limiter is a library with a clock of its own.
beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

type Who = Partial<RequestContext>;

const ALICE: Who = { principal: "alice", peer: "192.0.2.1" };
const BOB: Who = { principal: "bob", peer: "192.0.2.1" };
const HERE: Who = { principal: "anonymous", peer: "192.0.2.1" };
const THERE: Who = { principal: "anonymous", peer: "192.0.2.2" };

function limited(limits: RateLimits) {
  const passed: Call[] = [];
  const service = admit(limits)(async (call) => {
    passed.push(call);
    return replyOf(spoken(["Hello"]));
  });
  /** `ok`, or the failure; and the headers that the caller sees. */
  const attempt = async (who: Who) => {
    const call = callOf({ context: who });
    const outcome = await service(call).then(
      () => "ok" as const,
      (error: unknown) => error as Failure,
    );
    return { outcome, headers: Object.fromEntries(call.context.replyHeaders) };
  };
  const outcomes = async (who: Who, count: number) => {
    const seen: string[] = [];
    for (let i = 0; i < count; i++) {
      const { outcome } = await attempt(who);
      seen.push(outcome === "ok" ? outcome : outcome.kind);
    }
    return seen;
  };
  return { passed, attempt, outcomes };
}

describe("without a burst", () => {
  const limits = { requestsPerMinute: 2, burst: 0 };

  it("lets so many through in a minute, and refuses the rest before they cost anything", async () => {
    const { passed, attempt, outcomes } = limited(limits);
    expect(await outcomes(ALICE, 3)).toEqual(["ok", "ok", "rate_limited"]);
    expect(passed).toHaveLength(2);
    const { outcome } = await attempt(ALICE);
    expect(outcome).toBeInstanceOf(Failure);
    expect(outcome).toMatchObject({
      message: "more than 2 requests a minute; try again in 60 s",
      retryAfterMs: 60_000,
    });
  });

  it("counts apart for keys of one name that two tenants have", async () => {
    const { outcomes } = limited(limits);
    expect(await outcomes({ ...ALICE, tenant: "acme" }, 3)).toEqual(["ok", "ok", "rate_limited"]);
    expect(await outcomes({ ...ALICE, tenant: "globex" }, 2)).toEqual(["ok", "ok"]);
  });

  it("starts anew after the minute", async () => {
    const { attempt, outcomes } = limited(limits);
    await outcomes(ALICE, 2);
    await vi.advanceTimersByTimeAsync(59_000);
    expect((await attempt(ALICE)).outcome).toMatchObject({ kind: "rate_limited", retryAfterMs: 1_000 });
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await outcomes(ALICE, 3)).toEqual(["ok", "ok", "rate_limited"]);
  });

  it("says in each reply what is left, and when it starts anew", async () => {
    const { attempt } = limited(limits);
    const headers = (remaining: string, reset: string) => ({
      "ratelimit-limit": "2",
      "ratelimit-remaining": remaining,
      "ratelimit-reset": reset,
    });
    expect((await attempt(ALICE)).headers).toEqual(headers("1", "60"));
    await vi.advanceTimersByTimeAsync(10_500);
    expect((await attempt(ALICE)).headers).toEqual(headers("0", "50"));
    expect((await attempt(ALICE)).headers).toEqual(headers("0", "50"));
  });
});

it("lets a burst through on top, once a minute", async () => {
  const { outcomes } = limited({ requestsPerMinute: 2, burst: 3 });
  expect(await outcomes(ALICE, 7)).toEqual(["ok", "ok", "ok", "ok", "ok", "rate_limited", "rate_limited"]);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(await outcomes(ALICE, 6)).toEqual(["ok", "ok", "ok", "ok", "ok", "rate_limited"]);
});

it("counts each key by itself, wherever it calls from", async () => {
  const { outcomes } = limited({ requestsPerMinute: 1, burst: 0 });
  expect(await outcomes(ALICE, 1)).toEqual(["ok"]);
  expect(await outcomes(BOB, 1)).toEqual(["ok"]);
  expect(await outcomes({ ...ALICE, peer: "192.0.2.9" }, 1)).toEqual(["rate_limited"]);
});

it("counts each address by itself where there is no key", async () => {
  const { outcomes } = limited({ requestsPerMinute: 1, burst: 0 });
  expect(await outcomes(HERE, 1)).toEqual(["ok"]);
  expect(await outcomes(THERE, 1)).toEqual(["ok"]);
  expect(await outcomes(ALICE, 1)).toEqual(["ok"]);
  expect(await outcomes(HERE, 1)).toEqual(["rate_limited"]);
});

it("takes no key's name for an address", async () => {
  const { outcomes } = limited({ requestsPerMinute: 1, burst: 0 });
  expect(await outcomes(HERE, 1)).toEqual(["ok"]);
  expect(await outcomes({ principal: "ip:192.0.2.1", peer: "" }, 1)).toEqual(["ok"]);
});

it("is no limit at 0", async () => {
  const { attempt, outcomes } = limited({ requestsPerMinute: 0, burst: 5 });
  expect(new Set(await outcomes(HERE, 100))).toEqual(new Set(["ok"]));
  expect((await attempt(HERE)).headers).toEqual({});
});

it("passes a failure from below on as it is", async () => {
  const failure = new Failure("cut", "gone");
  const service = admit({ requestsPerMinute: 1, burst: 0 })(() => Promise.reject(failure));
  await expect(service(callOf())).rejects.toBe(failure);
});
