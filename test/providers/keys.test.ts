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
  const keep = (session: string) => credentials.prove({ path: "/", body: "", session }) as Proof;
  return { clock, next, used, keep };
}

function refuse(proof: Proof, kind: FailureKind, retryAfterMs?: number): void {
  told(proof, kind, retryAfterMs);
}

/** In how many milliseconds another key serves. */
function told(proof: Proof, kind: FailureKind, retryAfterMs?: number): number | undefined {
  return proof.onFailure?.(new Failure(kind, "refused", retryAfterMs === undefined ? {} : { retryAfterMs }));
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

  it("for the longest that was said to the calls that had it", async () => {
    const { clock, next, used } = pool("one", "two");
    const proof = next();
    refuse(proof, "quota_exhausted");
    refuse(proof, "provider_rate_limited", 1_000);
    await clock.advance(2_000);
    expect(new Set(used(4))).toEqual(new Set(["two"]));
  });

  it("for no longer where the clock was set back", async () => {
    const { clock, next, used } = pool("one", "two");
    refuse(next(), "quota_exhausted");
    clock.step(-3_600_000);
    expect(new Set(used(2))).toEqual(new Set(["one", "two"]));
    refuse(next(), "provider_rate_limited");
    await clock.advance(10_000);
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

it("says in what time a key is free, where there are several", async () => {
  const { clock, next } = pool("one", "two");
  expect(told(next(), "provider_rate_limited", 5_000)).toBe(0);
  await clock.advance(1_000);
  expect(told(next(), "provider_auth")).toBe(4_000);
  expect(told(next(), "provider_rate_limited", 60_000)).toBe(60_000);
  expect(told(next(), "provider_error")).toBeUndefined();
  expect(told(pool("one", "one").next(), "provider_rate_limited", 5_000)).toBeUndefined();
});

it("while all keys rest, uses the one whose rest ends first", () => {
  const { next } = pool("one", "two");
  refuse(next(), "provider_rate_limited", 5_000);
  refuse(next(), "provider_rate_limited", 1_000);
  expect(next().secret).toBe("two");
  expect(next().secret).toBe("two");
});

it("gives a key that is there twice two turns, and lets both rest with it", () => {
  const { next, used } = pool("one", "one", "two");
  expect(used(6)).toEqual(["one", "one", "two", "one", "one", "two"]);
  refuse(next(), "provider_rate_limited");
  expect(used(3)).toEqual(["two", "two", "two"]);
});

describe("a session", () => {
  const sessions = Array.from({ length: 3_000 }, (_, index) => `acme\n${index}`);
  const keysOf = ({ keep }: ReturnType<typeof pool>) => sessions.map((session) => keep(session).secret);

  it("keeps its key, whatever other calls do", () => {
    const one = pool("one", "two", "three");
    const before = keysOf(one);
    one.used(2);
    expect(keysOf(one)).toEqual(before);
    expect(keysOf(pool("three", "one", "two"))).toEqual(before);
  });

  it("takes no other call's turn", () => {
    const { keep, used } = pool("one", "two");
    keep("acme\n1");
    expect(used(2)).toEqual(["one", "two"]);
  });

  it("has any of the keys, each as often as its turns say", () => {
    const keys = keysOf(pool("one", "one", "two"));
    const share = keys.filter((key) => key === "one").length / keys.length;
    // Four standard deviations.
    expect(Math.abs(share - 2 / 3)).toBeLessThan(4 * Math.sqrt(2 / 9 / keys.length));
  });

  it("has always the same other key while its own rests, and comes back", async () => {
    const some = pool("one", "two", "three");
    const before = keysOf(some);
    const resting = before[0] ?? "";
    refuse(some.keep(sessions[0] ?? ""), "provider_rate_limited", 1_000);
    const meanwhile = keysOf(some);
    expect(meanwhile).not.toContain(resting);
    expect(meanwhile.filter((key, index) => before[index] !== resting && key !== before[index])).toEqual([]);
    expect(keysOf(some)).toEqual(meanwhile);
    // Those that had it are spread over the others.
    expect(new Set(meanwhile.filter((_, index) => before[index] === resting)).size).toBe(2);
    await some.clock.advance(1_000);
    expect(keysOf(some)).toEqual(before);
  });

  it("uses the key whose rest ends first while all rest", () => {
    const { next, keep } = pool("one", "two");
    refuse(next(), "provider_rate_limited", 5_000);
    refuse(next(), "provider_rate_limited", 1_000);
    expect(sessions.slice(0, 50).map((session) => keep(session).secret)).toEqual(Array(50).fill("two"));
  });
});
