/** What holds of how faults are met when nothing is said, and what of a provider's own words wins over that of all. */
import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import {
  type CircuitBreaker,
  CircuitBreakerSchema,
  type Hedging,
  HedgingSchema,
  type Limit,
  LimitSchema,
  type Resilience,
  ResilienceSchema,
  type Retries,
  RetriesSchema,
  type StreamGuard,
  StreamGuardSchema,
} from "../../gen/ts/llmgateway/config/v1/config_pb.ts";
import type { Complete } from "./complete.ts";

export type CompleteResilience = Complete<Resilience>;

/** @param general what holds where `given` is silent; the defaults by default */
export function completeResilience(
  given: Resilience = create(ResilienceSchema),
  general: CompleteResilience = DEFAULTS,
): CompleteResilience {
  return {
    ...given,
    circuitBreaker: circuitBreakerOf(given.circuitBreaker, general.circuitBreaker),
    retries: retriesOf(given.retries, general.retries),
    hedging: hedgingOf(given.hedging, general.hedging),
    limit: completeLimit(given.limit, general.limit),
    streamGuard: streamGuardOf(given.streamGuard, general.streamGuard),
  };
}

export function completeLimit(given: Limit | undefined, general: Complete<Limit>): Complete<Limit> {
  return {
    ...(given ?? create(LimitSchema)),
    maxInFlight: given?.maxInFlight ?? general.maxInFlight,
    maxQueued: given?.maxQueued ?? general.maxQueued,
    maxWait: given?.maxWait ?? general.maxWait,
    adaptive: given?.adaptive ?? general.adaptive,
  };
}

const DEFAULTS: CompleteResilience = {
  ...create(ResilienceSchema),
  circuitBreaker: {
    ...create(CircuitBreakerSchema),
    enabled: true,
    errorRate: 0.5,
    timeoutRate: 0.3,
    minCalls: 10,
    openFor: durationFromMs(30_000),
    probes: 1,
  },
  retries: {
    ...create(RetriesSchema),
    max: 2,
    baseDelay: durationFromMs(250),
    maxDelay: durationFromMs(5_000),
    budgetRatio: 0.2,
    budgetMin: 3,
    byKind: {},
  },
  hedging: { ...create(HedgingSchema), enabled: false, maxShare: 0.05, target: "same" },
  limit: {
    ...create(LimitSchema),
    maxInFlight: 0,
    maxQueued: 100,
    maxWait: durationFromMs(30_000),
    adaptive: false,
  },
  streamGuard: { ...create(StreamGuardSchema), minTokensPerSecond: 0, window: durationFromMs(10_000) },
};

/** The limit of a model that has none of its own: the provider's holds for it all the same. */
export const NO_LIMIT: Complete<Limit> = DEFAULTS.limit;

function circuitBreakerOf(
  given: CircuitBreaker | undefined,
  general: Complete<CircuitBreaker>,
): Complete<CircuitBreaker> {
  return {
    ...(given ?? create(CircuitBreakerSchema)),
    enabled: given?.enabled ?? general.enabled,
    errorRate: given?.errorRate ?? general.errorRate,
    timeoutRate: given?.timeoutRate ?? general.timeoutRate,
    minCalls: given?.minCalls ?? general.minCalls,
    openFor: given?.openFor ?? general.openFor,
    probes: given?.probes ?? general.probes,
  };
}

function retriesOf(given: Retries | undefined, general: Complete<Retries>): Complete<Retries> {
  const max = given?.max ?? general.max;
  const baseDelay = given?.baseDelay ?? general.baseDelay;
  const byKind = { ...general.byKind };
  for (const [kind, rule] of Object.entries(given?.byKind ?? {}))
    byKind[kind] = { ...rule, max: rule.max ?? max, baseDelay: rule.baseDelay ?? baseDelay };
  return {
    ...(given ?? create(RetriesSchema)),
    max,
    baseDelay,
    maxDelay: given?.maxDelay ?? general.maxDelay,
    budgetRatio: given?.budgetRatio ?? general.budgetRatio,
    budgetMin: given?.budgetMin ?? general.budgetMin,
    byKind,
  };
}

function hedgingOf(given: Hedging | undefined, general: Complete<Hedging>): Complete<Hedging> {
  const delay = given?.delay ?? general.delay;
  return {
    ...(given ?? create(HedgingSchema)),
    enabled: given?.enabled ?? general.enabled,
    ...(delay ? { delay } : {}),
    maxShare: given?.maxShare ?? general.maxShare,
    target: given?.target || general.target,
  };
}

function streamGuardOf(
  given: StreamGuard | undefined,
  general: Complete<StreamGuard>,
): Complete<StreamGuard> {
  return {
    ...(given ?? create(StreamGuardSchema)),
    minTokensPerSecond: given?.minTokensPerSecond ?? general.minTokensPerSecond,
    window: given?.window ?? general.window,
  };
}
