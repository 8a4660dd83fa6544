/** What those who plan attempts go by: prices, what was learnt of models, and budgets. */
import type { Target } from "../core/call.ts";
import type { AnswerLengths } from "./answer-lengths.ts";
import type { Budgets } from "./budget/budgets.ts";
import type { ModelPrice } from "./catalog.ts";
import type { Estimator } from "./estimate.ts";
import type { OutputHistory } from "./history.ts";
import type { PromptCaches } from "./prompt-caches.ts";
import type { Tokenizer } from "./tokenizer.ts";

export interface Pricing {
  readonly version: string;
  /** Undefined when the price is not known, which is never the same as 0. */
  find(target: Target, atMs: number): ModelPrice | undefined;
  /** How the provider is spoken to, such as `bedrock`. */
  kindOf(provider: string): string;
  /** What becomes of models without a price; when empty that depends on whether money is limited. */
  readonly unknownModels: "refuse" | "allow" | "";
}

export interface Means {
  readonly pricing: Pricing;
  readonly inputs: Estimator;
  readonly outputs: OutputHistory;
  readonly lengths: AnswerLengths;
  readonly caches: PromptCaches;
  readonly tokenizer: Tokenizer;
  readonly budgets: Budgets;
}
