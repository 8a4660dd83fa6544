/**
 * Budgets as those who spend see them: which apply, who waits for whom, and what a refusal says. It does not count;
 * counters do.
 */
import type { Clock } from "../../core/clock.ts";
import { Failure } from "../../core/failure.ts";
import { type PicoUsd, toUsd, ZERO } from "../../core/money.ts";
import type { Ask, Budgets, Outlook, Reach, Reservation, Standing } from "./budgets.ts";
import {
  type Amounts,
  type Counter,
  type Counters,
  type CreateCounters,
  type Figures,
  type Outcome,
  type Surroundings,
  unavailable,
  type Verdict,
  verdictOn,
} from "./counters.ts";
import { Lines, type Place } from "./lines.ts";
import { type BudgetRule, compileScopes } from "./scopes.ts";

export interface BudgetOptions extends Omit<Surroundings, "onFreed"> {
  readonly budgets: readonly BudgetRule[];
  readonly counters: CreateCounters;
  /** A call was refused on account of this budget. */
  readonly onRefused: (budget: string) => void;
  /** The longest wait for money that others hold. Default 30 s, which is about what a long answer takes. */
  readonly maxWaitMs?: number;
  /** How many may wait. Default 10,000. */
  readonly maxWaiters?: number;
}

export interface ReloadableBudgets extends Budgets {
  /** Goes by these from now on. What was spent stays counted. */
  replace(budgets: readonly BudgetRule[]): void;
  /** What is known here of each counter, in no order, of as many at most. */
  snapshot(max: number): Figures[];
  close(): Promise<void>;
}

export function createBudgets(options: BudgetOptions): ReloadableBudgets {
  return new Wall(options);
}

/** How long the first in a line waits before it asks others' counters again, at least and on top. */
const POLL_MS = { least: 20, spread: 80 };

/** When others may have given something back. */
const RETRY_MS = 2_000;

/** Who only asks does not wait for a ledger that is slow. */
const READ_MS = 1_000;

/** For what no budget is about. */
const UNBOUND = { extend: async (most) => most, settle: () => {} } satisfies Omit<Reservation, "granted">;

type Decided = Exclude<Outcome, { readonly short: Counter }>;

class Wall implements ReloadableBudgets {
  private readonly clock: Clock;
  private readonly counters: Counters;
  private readonly lines: Lines;
  private readonly onRefused: (budget: string) => void;
  private readonly maxWaitMs: number;
  private readonly maxWaiters: number;
  private readonly pollMs: (() => number) | undefined;
  private scopes: ReturnType<typeof compileScopes>;

  constructor({ budgets, counters, onRefused, maxWaitMs, maxWaiters, ...surroundings }: BudgetOptions) {
    this.clock = surroundings.clock;
    this.lines = new Lines(this.clock);
    this.counters = counters({ ...surroundings, onFreed: (freed) => this.lines.wake(freed) });
    this.onRefused = onRefused;
    this.maxWaitMs = maxWaitMs ?? 30_000;
    this.maxWaiters = maxWaiters ?? 10_000;
    this.pollMs = this.counters.shared
      ? () => POLL_MS.least + surroundings.random() * POLL_MS.spread
      : undefined;
    this.scopes = compileScopes(budgets);
  }

  reach(spending: Ask["spending"]): Reach {
    return this.scopes.reach(spending);
  }

  async reserve(ask: Ask): Promise<Reservation> {
    const outcome = await this.tryReserve(ask);
    if (!("exceeded" in outcome)) return outcome.reservation;
    const less = await ask.tighten?.();
    const again = less && (await this.tryReserve({ ...ask, ...less }));
    if (again && !("exceeded" in again)) return again.reservation;
    const { exceeded } = again ?? outcome;
    this.onRefused(exceeded.counter.budget);
    throw this.refusalOf(exceeded, less ?? ask);
  }

  async foresee(ask: Ask): Promise<Outlook> {
    const counters = this.scopes.of(ask.spending, this.clock.now());
    if (counters.length === 0)
      return { standings: [], incomplete: false, granted: undefined, refusal: undefined };
    let all: readonly Figures[];
    try {
      all = await this.within(READ_MS, this.counters.read(counters));
    } catch (cause) {
      const hard = counters.some((counter) => counter.hard);
      const refusal = hard ? unavailable(counters, cause) : undefined;
      return { standings: [], incomplete: true, granted: undefined, refusal };
    }
    let needs: Amounts = ask;
    let verdict = verdictOn(all, needs, false);
    const less = "exceeded" in verdict ? await ask.tighten?.() : undefined;
    if (less) {
      needs = less;
      verdict = verdictOn(all, needs, false);
    }
    const refusal = "exceeded" in verdict ? this.refusalOf(verdict.exceeded, needs) : undefined;
    return {
      standings: all.toSorted(byLeft).map(standingOf),
      incomplete: all.length < counters.length,
      granted: grantedBy(verdict, needs),
      refusal,
    };
  }

  private async tryReserve(ask: Ask): Promise<Decided> {
    ask.signal.throwIfAborted();
    const counters = this.scopes.of(ask.spending, this.clock.now());
    if (counters.length === 0) return { reservation: { granted: ask.most, ...UNBOUND } };
    const ahead = this.lines.busy(counters);
    const outcome = ahead ? { short: ahead } : await this.counters.reserve(counters, ask, false);
    if ("reservation" in outcome) return { reservation: this.given(ask, outcome.reservation) };
    if ("exceeded" in outcome) return outcome;
    return this.wait(ask, outcome.short);
  }

  replace(budgets: readonly BudgetRule[]): void {
    this.scopes = compileScopes(budgets);
    this.lines.wakeAll();
  }

  snapshot(max: number): Figures[] {
    const figures: Figures[] = [];
    for (const one of this.counters.snapshot()) {
      if (figures.length >= max) break;
      if (this.scopes.has(one.counter.budget)) figures.push(one);
    }
    return figures;
  }

  close(): Promise<void> {
    return this.counters.close();
  }

  private async wait(ask: Ask, short: Counter): Promise<Decided> {
    if (this.lines.size >= this.maxWaiters) throw this.crowded(short);
    const { signal } = ask;
    // When the window ends there is money again.
    const untilMs = Math.min(this.clock.now() + this.maxWaitMs, short.windowEndMs);
    const waiting = { signal, untilMs, pollMs: this.pollMs };
    let counter = short;
    let place = this.lines.join(counter, waiting);
    try {
      for (;;) {
        await place.turn();
        const outcome = await this.askAgain(ask, waiting.untilMs);
        if ("reservation" in outcome) return { reservation: this.given(ask, outcome.reservation) };
        if ("exceeded" in outcome) return outcome;
        if (outcome.short.key !== counter.key) place = this.move(place, outcome.short, waiting);
        counter = outcome.short;
      }
    } finally {
      place.leave();
    }
  }

  /** A window may have begun anew, and the budgets may be others than before. */
  private async askAgain(ask: Ask, untilMs: number): Promise<Outcome> {
    const now = this.clock.now();
    const counters = this.scopes.of(ask.spending, now);
    if (counters.length === 0) return { reservation: { granted: ask.most, ...UNBOUND } };
    return this.counters.reserve(counters, ask, now >= untilMs);
  }

  private move(place: Place, to: Counter, waiting: Parameters<Lines["join"]>[1]): Place {
    place.leave();
    return this.lines.join(to, waiting);
  }

  /** Who left while the answer was on its way needs no money. */
  private given({ signal }: Ask, reservation: Reservation): Reservation {
    if (!signal.aborted) return reservation;
    reservation.settle(ZERO);
    throw signal.reason;
  }

  private within<T>(limitMs: number, reading: Promise<T>): Promise<T> {
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = this.clock.after(limitMs, () => reject(new Error(`not read within ${limitMs} ms`)));
    return Promise.race([reading, late]).finally(() => timer.cancel());
  }

  private refusalOf({ counter, spent, reserved }: Figures, { least }: Amounts): Failure {
    const { limit, windowEndMs } = counter;
    const lastsMs = Math.max(0, windowEndMs - this.clock.now());
    const held = limit - spent >= least && reserved > ZERO;
    const text = held
      ? `$${toUsd(reserved)} of what is left are held by calls under way; try again`
      : `it begins anew at ${new Date(windowEndMs).toISOString()}`;
    return new Failure(
      "budget_exceeded",
      `budget ${nameOf(counter)} is used up: $${toUsd(spent)} of $${toUsd(limit)} are spent, and this call ` +
        `needs $${toUsd(least)} at least; ${text}`,
      { retryAfterMs: held ? RETRY_MS : lastsMs, noRoom: held },
    );
  }

  private crowded(counter: Counter): Failure {
    this.onRefused(counter.budget);
    return new Failure(
      "budget_exceeded",
      `budget ${nameOf(counter)} is nearly used up, and ${this.maxWaiters} calls wait for what others hold`,
      { retryAfterMs: RETRY_MS, noRoom: true },
    );
  }
}

/** Where it would wait for what others hold, that is taken to come back, as far as it is needed. */
function grantedBy(verdict: Verdict, { least }: Amounts): PicoUsd | undefined {
  if ("granted" in verdict) return verdict.granted;
  if ("exceeded" in verdict) return undefined;
  const left = leftOf(verdict.short);
  return (left > least ? left : least) as PicoUsd;
}

function byLeft(a: Figures, b: Figures): number {
  const [left, other] = [leftOf(a), leftOf(b)];
  return left < other ? -1 : Number(left > other);
}

function leftOf({ counter, spent, reserved }: Figures): bigint {
  return counter.limit - spent - reserved;
}

function standingOf({ counter, spent, reserved }: Figures): Standing {
  const { budget, scope, period, hard, limit, windowEndMs } = counter;
  return { budget, scope, period, hard, limit, spent, reserved, windowEndMs };
}

function nameOf({ budget, scope }: Counter): string {
  return scope ? `${budget} (${scope})` : budget;
}
