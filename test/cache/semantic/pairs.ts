/**
 * Labelled pairs of requests. Half of them are frozen, by a hash of the pair that was fixed before anything was tuned:
 * words, rules and thresholds were made by looking at the others, and are measured by these.
 */
import { hash } from "node:crypto";
import { HARD } from "./hard.ts";
import { PARAPHRASES } from "./paraphrases.ts";
import { TRAPS } from "./traps.ts";

export interface Pair {
  readonly one: string;
  readonly other: string;
  /** Whether they want the same answer. */
  readonly same: boolean;
  /** What tells them apart; `paraphrase` where nothing does. */
  readonly kind: string;
  readonly frozen: boolean;
}

/** Of those that would be frozen, one for which a rule was changed. */
const LOOKED_AT: ReadonlySet<string> = new Set(["How to delete a Git branch"]);

export const PAIRS: readonly Pair[] = [
  ...PARAPHRASES.map(([one, other]) => pair(one, other, "paraphrase")),
  ...Object.entries(TRAPS).flatMap(([kind, pairs]) => pairs.map(([one, other]) => pair(one, other, kind))),
  ...HARD.map(([one, other]) => ({ ...pair(one, other, "mixed"), frozen: false })),
];

function pair(one: string, other: string, kind: string): Pair {
  const frozen =
    !LOOKED_AT.has(other) && Number.parseInt(hash("sha256", `${one}\n${other}`, "hex").slice(0, 2), 16) < 128;
  return { one, other, same: kind === "paraphrase", kind, frozen };
}
