/** What budgets are to those who spend: reserve before, settle after. How they count is for others to say. */
import type { Failure } from "../../core/failure.ts";
import type { PicoUsd } from "../../core/money.ts";

/** What a budget can be about. */
export interface Spending {
  readonly tenant: string;
  /** The API key's name. */
  readonly principal: string;
  readonly provider: string;
  readonly model: string;
  readonly tags: Readonly<Record<string, string>>;
}

/** What an attempt needs. Each amount includes the ones before. */
export interface Ask {
  readonly spending: Spending;
  /** With less there is no answer at all. */
  readonly least: PicoUsd;
  /** With less the answer may end before its time. */
  readonly wanted: PicoUsd;
  /** The most that it can cost. */
  readonly most: PicoUsd;
  /** Ends the wait for money that others may give back. */
  readonly signal: AbortSignal;
  /** Asked before a refusal, once: what will do when it is looked at more closely; undefined when nothing less will. */
  readonly tighten?: () => Promise<Pick<Ask, "least" | "wanted" | "most"> | undefined>;
}

/** Money held ready in every budget that applies, for one attempt. */
export interface Reservation {
  readonly granted: PicoUsd;
  /**
   * Holds more ready, up to `most` in all, without waiting for what others hold.
   *
   * @returns what is granted now, which is as before when nothing is left
   */
  extend(most: PicoUsd): Promise<PicoUsd>;
  /** Books what was spent, gives the rest back. The first time counts. With nothing spent all is given back. */
  settle(spent: PicoUsd): void;
}

/** What a budget stands at that is about an attempt. */
export interface Standing {
  readonly budget: string;
  /** The values of its `each`, such as `tenant=acme`. */
  readonly scope: string;
  readonly period: string;
  readonly hard: boolean;
  readonly limit: PicoUsd;
  readonly spent: PicoUsd;
  readonly reserved: PicoUsd;
  readonly windowEndMs: number;
}

/** What would become of an ask, as things are now. */
export interface Outlook {
  /** The one with the least left first. */
  readonly standings: readonly Standing[];
  /** Whether some could not be read. */
  readonly incomplete: boolean;
  /** What would be held ready; undefined where nothing is, for want of a budget or of money. */
  readonly granted: PicoUsd | undefined;
  /** What `reserve` would fail with. */
  readonly refusal: Failure | undefined;
}

/** Whether budgets are about an attempt, and whether one of them is hard. */
export type Reach = "none" | "soft" | "hard";

export interface Budgets {
  reach(spending: Spending): Reach;
  /**
   * Holds money ready in all budgets that apply, or in none.
   *
   * @throws Failure `budget_exceeded` that names the budget, or the signal's reason
   */
  reserve(ask: Ask): Promise<Reservation>;
  /**
   * Tells what would become of it, and holds nothing. It does not wait for what others hold, and takes for granted
   * that it comes back.
   */
  foresee(ask: Ask): Promise<Outlook>;
}
