/** Which variant a call is given: by the hash of what is to stay together, so that every replica says the same. */
import { hashOf, pull } from "../core/rendezvous.ts";
import { GROUPS } from "./moments.ts";

export interface Share {
  readonly name: string;
  /** 0 for one that is given no calls. */
  readonly weight: number;
}

export interface Unit {
  /** What the variant follows from. */
  readonly hash: number;
  /** Which group of units its figures are counted in. */
  readonly group: number;
}

/**
 * @param key what always has the same variant; undefined for a call that is given one by lot
 * @param random draws from 0 up to 1
 */
export function unitOf(experiment: string, key: string | undefined, random: () => number): Unit {
  if (key === undefined)
    return { hash: Math.floor(random() * 2 ** 32), group: Math.floor(random() * GROUPS) };
  // Each experiment has its own order, so that those in one variant of this are spread over those of others.
  return { hash: hashOf(`${experiment}\n${key}`), group: hashOf(`${key}\n${experiment}`) % GROUPS };
}

/** Undefined where none has any weight. Where a weight changes, only so many units move as must. */
export function assigned<S extends Share>(shares: readonly S[], { hash }: Unit): S | undefined {
  let best: S | undefined;
  let most = 0;
  for (const share of shares) {
    const pulled = pull(hash, hashOf(share.name), share.weight);
    if (pulled > most) {
      most = pulled;
      best = share;
    }
  }
  return best;
}
