/** What operators are told of what is spent; what of it is out of the usual goes to the log and the metrics as well. */
import type { CompleteConfig } from "./config/defaults.ts";
import type { Clock } from "./core/clock.ts";
import { watchSpend } from "./cost/anomaly/watch.ts";
import type { Pricing } from "./cost/means.ts";
import type { TipMeans } from "./cost/tips/tips.ts";
import type { Signals } from "./layers/record.ts";
import type { TextBackend } from "./rpc/text-handlers.ts";
import type { UsageBackend } from "./rpc/usage-handlers.ts";
import type { Store } from "./store/store.ts";
import { showSpend } from "./telemetry/anomalies.ts";

export interface SpendingOptions {
  readonly store: Store;
  /** Resolves once what is over by now is in the store. */
  flush(): Promise<void>;
  /** Asked anew each time, since a reload replaces it. */
  inForce(): { readonly config: CompleteConfig; readonly pricing: Pricing; readonly tips: TipMeans };
  readonly signals: Signals;
  readonly clock: Clock;
  /** What was said in calls. */
  readonly said: Omit<TextBackend, "logger">;
}

export interface Spending extends UsageBackend {
  /** Looks no more. */
  stop(): Promise<void>;
}

export function watchSpending(options: SpendingOptions): Spending {
  const { store, flush, inForce, signals, clock, said } = options;
  const { logger, metrics } = signals;
  const count = showSpend(metrics.registry, () => ({
    baselines: watch.expected.map(({ target, cost }) => ({
      provider: target?.provider ?? "",
      model: target?.model ?? "",
      usd: cost / 1e12,
    })),
    anomalies: watch.now,
  }));
  const watch = watchSpend({
    usage: store.usage,
    clock,
    inForce: () => {
      const { config, pricing } = inForce();
      const { enabled, ratio, minUsd } = config.ledger.anomalies;
      return { enabled: enabled && config.prices.trackingEnabled, rule: { ratio, minUsd }, pricing };
    },
    onBegun: ({ kind, provider, model, observed, expected, ratio, usd, text }) => {
      count(kind);
      const who = { provider: provider || undefined, model: model || undefined };
      logger.warn({ kind, ...who, observed, expected, ratio, beyond_usd: usd, text }, "cost anomaly");
    },
    onError: (error) => logger.error({ err: error }, "what was spent could not be looked at"),
  });
  return {
    usage: store.usage,
    flush,
    clock,
    tracksCosts: () => inForce().config.prices.trackingEnabled,
    anomalies: (period) => watch.within(period),
    tips: () => inForce().tips,
    said: { ...said, logger },
    stop: () => watch.stop(),
  };
}
