/** What a rule found in one hour. It knows neither words nor messages. */
import type { Target } from "../../core/call.ts";

export type Kind = "spend" | "new_model" | "model_share" | "unpriced_share" | "estimated_share";

export interface Finding {
  readonly kind: Kind;
  /** Undefined for all together. */
  readonly target: Target | undefined;
  /** Counted from 1970; the last of the day that it is about, where it is about one. */
  readonly hour: number;
  /** Pico-dollars of `spend`, else a share. */
  readonly observed: number;
  readonly expected: number;
  /** Pico-dollars beyond what was to be expected; undefined where no price is known. */
  readonly beyond: number | undefined;
}

export interface Rule {
  /** How many times the usual is too much. */
  readonly ratio: number;
  readonly minUsd: number;
}
