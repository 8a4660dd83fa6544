/** What stands behind the meter, real and empty: nothing learnt, no budgets, no ledger. */
import type { Clock } from "../../src/core/clock.ts";
import { AnswerLengths } from "../../src/cost/answer-lengths.ts";
import { memoryCounters } from "../../src/cost/budget/memory.ts";
import { type BudgetOptions, createBudgets } from "../../src/cost/budget/wall.ts";
import { Estimator } from "../../src/cost/estimate.ts";
import { OutputHistory } from "../../src/cost/history.ts";
import { PromptCaches } from "../../src/cost/prompt-caches.ts";
import { Tokenizer } from "../../src/cost/tokenizer.ts";
import type { Accounts } from "../../src/layers/meter.ts";
import { PRICING } from "./prices.ts";

export function accountsOf(clock: Clock, given: Partial<Accounts> = {}): Accounts {
  return {
    pricing: PRICING,
    inputs: new Estimator(),
    outputs: new OutputHistory(),
    lengths: new AnswerLengths(),
    caches: new PromptCaches(),
    tokenizer: new Tokenizer(),
    budgets: budgetsOf(clock, []),
    ledger: undefined,
    clock,
    lag: { ms: 0 },
    onSent: () => {},
    onSpoke: () => {},
    onSettled: () => {},
    ...given,
  };
}

/** In memory, and with nothing spent before. */
export function budgetsOf(clock: Clock, budgets: BudgetOptions["budgets"]) {
  return createBudgets({
    budgets,
    counters: memoryCounters,
    clock,
    random: () => 0,
    spentSince: async () => 0n as never,
    onThreshold: () => {},
    onRefused: () => {},
  });
}
