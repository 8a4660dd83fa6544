/**
 * What calls come to, kept over all reloads: the ledger on its durable store, budgets on their counters, and what
 * was learnt of models.
 */
import { randomUUID } from "node:crypto";
import { durationMs } from "@bufbuild/protobuf/wkt";
import type { CompleteConfig } from "./config/defaults.ts";
import type { Environment } from "./config/environment.ts";
import type { Clock, Timer } from "./core/clock.ts";
import type { Readiness } from "./core/readiness.ts";
import type { CallRow } from "./core/ledger.ts";
import { toUsd } from "./core/money.ts";
import type { Figures } from "./cost/budget/counters.ts";
import { memoryCounters } from "./cost/budget/memory.ts";
import { redisCounters } from "./cost/budget/redis.ts";
import { createBudgets, type ReloadableBudgets } from "./cost/budget/wall.ts";
import { Estimator } from "./cost/estimate.ts";
import { OutputHistory } from "./cost/history.ts";
import { createLedger, type Ledger } from "./cost/ledger.ts";
import { Unpriced } from "./cost/unpriced.ts";
import type { Signals } from "./layers/record.ts";
import { openStore, type Store } from "./store/store.ts";

export interface Books {
  readonly inputs: Estimator;
  readonly outputs: OutputHistory;
  readonly unpriced: Unpriced;
  readonly budgets: ReloadableBudgets;
  /** Undefined when costs are not tracked. */
  readonly ledger: Ledger | undefined;
  /** Another configuration is in force, and perhaps other prices. */
  replace(config: CompleteConfig, prices: { readonly version: string; readonly json: string }): void;
  close(): Promise<void>;
}
