/** A retry storm: everybody's calls fail, and everybody would try again. */
import { expect, test } from "vitest";
import { type End, makeCalls } from "./calls.ts";
import { SICK, TARGETS, World } from "./world.ts";

const CALLS = 600;
const BUDGET_RATIO = 0.2;
/** What is allowed whatever the share comes to. */
const BUDGET_MIN = 3;

test("a target that fails is never sent more than 1.2 times what was offered to it", async () => {
  const bounded = await storm({});
  const unbounded = await storm({ budget_ratio: 10 });
  const told = ({ sentAtMs, ends }: Storm) =>
    `${sentAtMs.length} for ${ends.length}, ${ratio(sentAtMs, ends)} times`;
  process.stdout.write(
    `\ncalls sent to a target that fails: ${told(bounded)}; with no budget for retries ${told(unbounded)}\n`,
  );
  expect(ratio(unbounded.sentAtMs, unbounded.ends)).toBeGreaterThan(2.5);
  expect(ratio(bounded.sentAtMs, bounded.ends)).toBeLessThanOrEqual(1 + BUDGET_RATIO);
  expect(ratio(bounded.sentAtMs, bounded.ends)).toBeGreaterThan(1.1);
  // At no time either.
  const begun = bounded.ends.map(({ beganAtMs }) => beganAtMs).toSorted((a, b) => a - b);
  let offered = 0;
  for (const [at, atMs] of bounded.sentAtMs.entries()) {
    while ((begun[offered] ?? Number.POSITIVE_INFINITY) <= atMs) offered++;
    expect(at + 1).toBeLessThanOrEqual(offered + Math.max(BUDGET_MIN, BUDGET_RATIO * offered));
  }
});

interface Storm {
  readonly ends: readonly End[];
  /** When each call reached the provider, in order. */
  readonly sentAtMs: readonly number[];
}

/** With the circuit closed whatever happens: it would end any storm, and here the budget alone has to. */
async function storm(retries: object): Promise<Storm> {
  const resilience = { circuit_breaker: { enabled: false }, retries };
  await using world = await World.start({ config: { resilience } });
  world.sick.misbehave({ chaos: 1, fault: "status=503" });
  const ends = await makeCalls(world.url, { count: CALLS, atOnce: 48, model: () => TARGETS[SICK] });
  // On a busy machine some take longer than the provider may.
  const kinds = new Set(ends.map(({ kind }) => kind));
  expect(kinds.difference(new Set(["provider_overloaded", "provider_timeout"]))).toEqual(new Set());
  const sentAtMs = world.sick.meter.requests.map(({ startedAtMs }) => startedAtMs);
  return { ends, sentAtMs };
}

function ratio(sent: readonly unknown[], offered: readonly unknown[]): number {
  return Math.round((1_000 * sent.length) / offered.length) / 1_000;
}
