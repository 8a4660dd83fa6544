/**
 * What a count of spent and held money is, and what is asked of those who keep them. Which budgets there are and
 * who waits for money is not known here.
 */
import type { Clock } from "../../core/clock.ts";
import { Failure } from "../../core/failure.ts";
import type { SpendFilter } from "../../core/ledger.ts";
import { messageOf } from "../../core/message.ts";
import type { PicoUsd } from "../../core/money.ts";
import type { Ask, Reservation } from "./budgets.ts";

/** What one budget counts for one value of its `each`, in one window of time. */
export interface Counter {
  /** The same for all gateways, and for all limits that the budget ever has. */
  readonly key: string;
  /** The budget's name. */
  readonly budget: string;
  /** The values of the budget's `each`, such as `tenant=acme`; empty when it has none. */
  readonly scope: string;
  /** `hour`, `day` or `month`. */
  readonly period: string;
  readonly limit: PicoUsd;
  /** Whether what goes beyond the limit is refused. */
  readonly hard: boolean;
  /** What is to be told of, from the least to the greatest. */
  readonly thresholds: readonly Threshold[];
  /** The spend that it counts, in the ledger's terms. */
  readonly filter: SpendFilter;
  readonly windowStartMs: number;
  /** When counting begins anew. */
  readonly windowEndMs: number;
}

export interface Threshold {
  /** Part of the limit. */
  readonly ratio: number;
  readonly amount: PicoUsd;
}

export type Amounts = Pick<Ask, "least" | "wanted" | "most">;

/** What a counter stands at. */
export interface Figures {
  readonly counter: Counter;
  readonly spent: PicoUsd;
  readonly reserved: PicoUsd;
}

export type Outcome =
  | { readonly reservation: Reservation }
  /** Others hold what this one lacks, and may give it back. */
  | { readonly short: Counter }
  | { readonly exceeded: Figures };

/** Counts that are reserved from all at once. One that is not known yet begins with what the ledger says. */
export interface Counters {
  /**
   * Holds money ready in all of them, or in none.
   *
   * @param last whether less than wanted will do, since there was a wait already
   * @throws Failure `budget_unavailable` when a hard one cannot be counted
   */
  reserve(counters: readonly Counter[], amounts: Amounts, last: boolean): Outcome | Promise<Outcome>;
  /**
   * What they stand at, in one step. A soft one that cannot be read is left out.
   *
   * @throws what is in the way of reading a hard one
   */
  read(counters: readonly Counter[]): Promise<readonly Figures[]>;
  /** What is known here of the windows that are not over. */
  snapshot(): Iterable<Figures>;
  /** Whether others count as well, so that money may come back without a word. */
  readonly shared: boolean;
  /** Gives up what it holds in the background; what is settled by then is told first. */
  close(): Promise<void>;
}

/** What counters need, and what they tell. */
export interface Surroundings {
  readonly clock: Clock;
  /** Between 0 and 1. */
  readonly random: () => number;
  /** What the ledger knows to be spent or under way since then, that which waits to be written included. */
  readonly spentSince: (filter: SpendFilter, windowStartMs: number) => Promise<PicoUsd>;
  /** Money came back. */
  readonly onFreed: (counters: readonly Counter[]) => void;
  /** Once for each part of the limit that `spent` reaches in a window. */
  readonly onThreshold: (figures: Figures, ratio: number) => void;
}

export type CreateCounters = (surroundings: Surroundings) => Counters;

export type Verdict =
  | { readonly granted: PicoUsd }
  | { readonly short: Figures }
  | { readonly exceeded: Figures };

/** What becomes of an ask where these counters stand so. */
export function verdictOn(all: Iterable<Figures>, amounts: Amounts, last: boolean): Verdict {
  let tightest: Figures | undefined;
  let headroom = amounts.most as bigint;
  for (const figures of all) {
    const { counter, spent, reserved } = figures;
    if (!counter.hard) continue;
    const left = counter.limit - spent;
    if (left < amounts.least) return { exceeded: figures };
    if (!tightest || left - reserved < headroom) {
      tightest = figures;
      headroom = left - reserved;
    }
  }
  if (!tightest) return { granted: amounts.most };
  if (headroom >= amounts.wanted) return { granted: grantOf(amounts, headroom) };
  if (!last && tightest.reserved > 0n) return { short: tightest };
  if (headroom < amounts.least) return { exceeded: tightest };
  return { granted: headroom as PicoUsd };
}

/**
 * What is granted of the headroom where all that is wanted is there: more than wanted, up to a quarter of what is
 * left, so that no call leaves nothing to the others.
 */
function grantOf({ wanted, most }: Amounts, headroom: bigint): PicoUsd {
  const share = headroom / SHARES;
  const amount = share > wanted ? share : wanted;
  return (amount < most ? amount : most) as PicoUsd;
}

/** Into how many parts the headroom is thought to be cut. */
export const SHARES = 4n;

/** What cannot be counted must not be spent where a limit is hard. */
export function unavailable(counters: readonly Counter[], cause: unknown): Failure {
  const { budget = "" } = counters.find(({ hard }) => hard) ?? {};
  return new Failure("budget_unavailable", `budget ${budget} cannot be counted at this time; try again`, {
    operator: `budget ${budget}: ${messageOf(cause)}`,
    retryAfterMs: 1_000,
    cause,
  });
}
