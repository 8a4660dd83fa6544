/** Shares the calls for one name among several targets: by weight, or so that a session stays where it is. */
import { hash } from "node:crypto";
import type { Target } from "../core/call.ts";

export interface Weighted {
  readonly target: Target;
  readonly weight: number;
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
  return targets
    .map(({ target, weight }) => ({ target, score: scoreOf(target, weight, session) }))
    .sort((a, b) => b.score - a.score)
    .map(({ target }) => target);
}

function scoreOf({ provider, model }: Target, weight: number, session: string): number {
  const digest = hash("sha256", `${session}\n${provider}/${model}`, "buffer");
  const drawn = (digest.readUIntBE(0, 6) + 0.5) / 2 ** 48;
  return weight / -Math.log(drawn);
}
