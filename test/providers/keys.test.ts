import { describe, expect, it } from "vitest";
import { Failure, type FailureKind } from "../../src/core/failure.ts";
import type { Proof } from "../../src/providers/credentials.ts";
import { keyCredentials } from "../../src/providers/keys.ts";
import { VirtualClock } from "../support/clock.ts";

function pool(...secrets: string[]) {
  const clock = new VirtualClock();
  const credentials = keyCredentials(secrets, (key) => ({ "x-key": key }), clock);
  const next = () => credentials.prove({ path: "/", body: "" }) as Proof;
  const used = (calls: number) => Array.from({ length: calls }, () => next().secret);
  return { clock, next, used };
}

function refuse(proof: Proof, kind: FailureKind, retryAfterMs?: number): void {
  proof.onFailure?.(new Failure(kind, "refused", retryAfterMs === undefined ? {} : { retryAfterMs }));
}

it("proves nothing without a key", () => {
  expect(pool().next()).toEqual({ headers: {}, secret: "" });
});

it("says the key as the provider wants it", () => {
  expect(pool("one").next()).toMatchObject({ headers: { "x-key": "one" }, secret: "one" });
});

it("spreads the calls over the keys in turn", () => {
  expect(pool("one", "two", "three").used(6)).toEqual(["one", "two", "three", "one", "two", "three"]);
});

describe("a key rests", () => {
  it.each<[FailureKind, number]>([
    ["provider_rate_limited", 10_000],
    ["quota_exhausted", 300_000],
    ["provider_auth", 300_000],
  ])("after %s, for a while", async (kind, ms) => {
    const { clock, next, used } = pool("one", "two");
    refuse(next(), kind);
    expect(used(3)).toEqual(["two", "two", "two"]);
    await clock.advance(ms - 1);
    expect(new Set(used(2))).toEqual(new Set(["two"]));
    await clock.advance(1);
    expect(new Set(used(2))).toEqual(new Set(["one", "two"]));
  });

  it("for as long as the provider says", async () => {
    const { clock, next, used } = pool("one", "two");
    refuse(next(), "provider_rate_limited", 500);
    expect(used(2)).toEqual(["two", "two"]);
    await clock.advance(500);
    expect(new Set(used(2))).toEqual(new Set(["one", "two"]));
  });

  it.each<FailureKind>(["provider_error", "provider_bad_request", "provider_overloaded"])(
    "not for %s, which is no fault of the key",
    (kind) => {
      const { next, used } = pool("one", "two");
      refuse(next(), kind);
      expect(new Set(used(2))).toEqual(new Set(["one", "two"]));
    },
  );
});

it("while all keys rest, uses the one whose rest ends first", () => {
  const { next } = pool("one", "two");
  refuse(next(), "provider_rate_limited", 5_000);
  refuse(next(), "provider_rate_limited", 1_000);
  expect(next().secret).toBe("two");
  expect(next().secret).toBe("two");
});
