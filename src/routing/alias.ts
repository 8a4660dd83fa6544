/** Shares the calls for one name among several targets: by weight, or so that a session stays where it is. */
import type { Target } from "../core/call.ts";
import { hashOf, pull } from "../core/rendezvous.ts";
import { nameOf } from "../core/target.ts";

export interface Weighted {
  readonly target: Target;
  readonly weight: number;
  /** Its place among the others, for sessions. */
  readonly hash: number;
}

export function weighted(target: Target, weight: number): Weighted {
  return { target, weight, hash: hashOf(nameOf(target)) };
}

/**
 * Draws one by its weight; the others follow, the heaviest first, for when it fails.
 *
 * @param random draws from 0 up to 1
 */
export function drawn(targets: readonly Weighted[], random: () => number): Target[] {
  const total = targets.reduce((sum, { weight }) => sum + weight, 0);
  let left = random() * total;
  const first = targets.find(({ weight }) => {
    left -= weight;
    return weight > 0 && left < 0;
  });
  const others = targets.filter((one) => one !== first).sort((a, b) => b.weight - a.weight);
  return [...(first ? [first] : []), ...others].map(({ target }) => target);
}

/**
 * By rendezvous hashing: a session has its own order of the targets, in which the heavier ones more often come first.
 * Where one goes, only the sessions that it had go elsewhere.
 */
export function settled(targets: readonly Weighted[], session: string): Target[] {
  const hash = hashOf(session);
  return targets
    .map((one) => ({ target: one.target, pulled: pull(hash, one.hash, one.weight) }))
    .sort((a, b) => b.pulled - a.pulled)
    .map(({ target }) => target);
}
