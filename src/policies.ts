/** What the configuration says of how faults are met, as the layers ask for it: made once, and looked up for each call. */
import { durationMs } from "@bufbuild/protobuf/wkt";
import type { CompleteConfig, CompleteProvider } from "./config/defaults.ts";
import type { RoutedCall, Target } from "./core/call.ts";
import type { Clock } from "./core/clock.ts";
import { nameOf } from "./core/target.ts";
import type { HedgeMeans, HedgeSettings } from "./layers/hedge.ts";
import type { LimitMeans, TargetLimit } from "./layers/limit.ts";
import type { Signals } from "./layers/record.ts";
import type { RetryMeans, RetrySettings } from "./layers/retry.ts";
import type { Timeouts } from "./layers/timeout.ts";
import type { CircuitRule } from "./resilience/circuit.ts";
import type { Limiter, LimitRule } from "./resilience/limiter.ts";
import type { PaceRule } from "./resilience/pace.ts";
import type { Standing } from "./resilience/standing.ts";

export interface Policies {
  readonly retry: RetryMeans;
  readonly hedge: HedgeMeans;
  readonly limit: LimitMeans;
  circuitRule(provider: string): CircuitRule;
  timeouts(target: Target): Timeouts;
  pace(target: Target): PaceRule | undefined;
}

export interface PolicyMeans {
  readonly standing: Standing;
  readonly signals: Signals;
  readonly clock: Clock;
  /** Draws from 0 up to 1. */
  readonly random: () => number;
}

export function policiesOf(config: CompleteConfig, means: PolicyMeans): Policies {
  const rules = byProvider(config, circuitRuleOf);
  const paces = byProvider(config, paceOf);
  return {
    retry: retryMeans(config, rules, means),
    hedge: hedgeMeans(config, means),
    limit: limitMeans(config, means),
    circuitRule: rules,
    timeouts: timeoutsOf(config),
    pace: ({ provider }) => paces(provider),
  };
}

/** Something that is made of each provider's configuration, to be asked for by the provider's name. */
function byProvider<T>(
  { providers }: CompleteConfig,
  make: (provider: CompleteProvider, name: string) => T,
): (name: string) => T {
  const made = new Map(Object.entries(providers).map(([name, provider]) => [name, make(provider, name)]));
  return (name) => {
    const found = made.get(name);
    // The router names configured providers alone.
    if (found === undefined && !made.has(name)) throw new Error(`no provider is called ${name}`);
    return found as T;
  };
}

function circuitRuleOf({ resilience: { circuitBreaker } }: CompleteProvider): CircuitRule {
  return { ...circuitBreaker, openForMs: durationMs(circuitBreaker.openFor) };
}

function paceOf({ resilience: { streamGuard } }: CompleteProvider): PaceRule | undefined {
  const { minTokensPerSecond, window } = streamGuard;
  return minTokensPerSecond > 0 ? { minTokensPerSecond, windowMs: durationMs(window) } : undefined;
}

function retryMeans(
  config: CompleteConfig,
  circuitRule: (provider: string) => CircuitRule,
  { standing, signals, clock, random }: PolicyMeans,
): RetryMeans {
  const settings = byProvider(config, retrySettingsOf);
  const { metrics } = signals;
  return {
    settingsOf: ({ provider }) => settings(provider),
    budgets: standing.retries,
    isShut: (target) => standing.circuits.refuses(target, circuitRule(target.provider)),
    clock,
    random,
    onRetry: ({ target, context }, { kind }, waitMs) => {
      metrics.retries.inc({ ...labelsOf(target), kind });
      context.span.addEvent("retry", { "error.type": kind, "llmgateway.wait_ms": waitMs });
    },
    onSpent: ({ target, context }) => {
      metrics.retriesSpent.inc(labelsOf(target));
      context.span.addEvent("retry budget exhausted", labelsOf(target));
    },
  };
}

function retrySettingsOf({ resilience: { retries } }: CompleteProvider): RetrySettings {
  const { max, baseDelay, maxDelay, budgetRatio, budgetMin, byKind } = retries;
  const maxMs = durationMs(maxDelay);
  const usual = { max, baseMs: durationMs(baseDelay), maxMs };
  const rules = new Map(
    Object.entries(byKind).map(([kind, rule]) => [
      kind,
      { max: rule.max, baseMs: durationMs(rule.baseDelay), maxMs },
    ]),
  );
  return {
    rule: (kind) => rules.get(kind) ?? usual,
    budget: { ratio: budgetRatio, least: budgetMin },
  };
}

function hedgeMeans(config: CompleteConfig, { standing, signals, clock }: PolicyMeans): HedgeMeans {
  const settings = byProvider(config, hedgeSettingsOf);
  return {
    settingsOf: ({ provider }) => settings(provider),
    usualMs: (target, streaming) => standing.latencies.quantile(target, streaming, 0.95),
    shares: standing.hedges,
    clock,
    onHedge: ({ target, context }, outcome) => {
      signals.metrics.hedged.inc({ ...labelsOf(target), outcome });
      context.span.addEvent("hedge", { ...labelsOf(target), "llmgateway.outcome": outcome });
    },
  };
}

function hedgeSettingsOf({ resilience: { hedging } }: CompleteProvider): HedgeSettings {
  const { enabled, delay, maxShare, target } = hedging;
  return {
    enabled,
    delayMs: delay && durationMs(delay),
    maxShare,
    second: target === "next" ? "next" : "same",
  };
}

function limitMeans(config: CompleteConfig, { standing, signals, clock }: PolicyMeans): LimitMeans {
  const inForce = new Set<Limiter>();
  const limits = byProvider(config, (provider, name) => {
    const made = limitsOf(provider, name, standing);
    for (const { limiter } of [...made.whole, ...[...made.models.values()].flat()]) inForce.add(limiter);
    return made;
  });
  standing.limiters.only(inForce);
  const { metrics } = signals;
  return {
    limitsOf: ({ provider, model }) => {
      const { whole, models } = limits(provider);
      return models.get(model) ?? whole;
    },
    clock,
    onWaited: ({ target, context }: RoutedCall, waitedMs) => {
      metrics.limitWaitMs.observe({ provider: target.provider }, waitedMs);
      context.span.setAttribute("llmgateway.queued_ms", waitedMs);
    },
    onRefused: ({ target }, reason) => metrics.limitRefusals.inc({ ...labelsOf(target), reason }),
  };
}

function limitsOf({ resilience, modelSettings }: CompleteProvider, provider: string, { limiters }: Standing) {
  const limited = (model: string, limit: CompleteProvider["resilience"]["limit"]): TargetLimit[] => {
    const rule: LimitRule = { ...limit, maxWaitMs: durationMs(limit.maxWait) };
    if (rule.maxInFlight === 0 && !rule.adaptive) return [];
    const name = model ? nameOf({ provider, model }) : provider;
    return [{ name, target: { provider, model }, limiter: limiters.of({ provider, model, rule }) }];
  };
  const whole = limited("", resilience.limit);
  const models = Object.entries(modelSettings).map(
    ([model, { limit }]) => [model, [...limited(model, limit), ...whole]] as const,
  );
  return { whole, models: new Map(models) };
}

function timeoutsOf(config: CompleteConfig): (target: Target) => Timeouts {
  const streamMs = durationMs(config.stream.timeout);
  const inMs = ({ total, firstEvent, idle }: CompleteProvider["timeouts"]): Timeouts => ({
    totalMs: durationMs(total),
    firstEventMs: durationMs(firstEvent),
    idleMs: durationMs(idle),
    streamMs,
  });
  const timeouts = byProvider(config, ({ timeouts, modelSettings }) => ({
    whole: inMs(timeouts),
    models: new Map(
      Object.entries(modelSettings).map(([model, settings]) => [model, inMs(settings.timeouts)]),
    ),
  }));
  return ({ provider, model }) => {
    const { whole, models } = timeouts(provider);
    return models.get(model) ?? whole;
  };
}

function labelsOf({ provider, model }: Target) {
  return { provider, model };
}
