/** The layers from the router to the stream guard, as a configuration makes them, for what is measured around them. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import pino from "pino";
import type { CompleteConfig } from "../../src/config/defaults.ts";
import { loadConfig } from "../../src/config/load.ts";
import type { RoutedCall, Service } from "../../src/core/call.ts";
import { systemClock } from "../../src/core/clock.ts";
import { loadCatalog } from "../../src/cost/catalog.ts";
import { Estimator } from "../../src/cost/estimate.ts";
import { OutputHistory } from "../../src/cost/history.ts";
import { PromptCaches } from "../../src/cost/prompt-caches.ts";
import { Sessions } from "../../src/cost/sessions.ts";
import { breaker } from "../../src/layers/breaker.ts";
import { guard } from "../../src/layers/guard.ts";
import { hedge } from "../../src/layers/hedge.ts";
import { limit } from "../../src/layers/limit.ts";
import type { Signals } from "../../src/layers/record.ts";
import { retry } from "../../src/layers/retry.ts";
import { timeout } from "../../src/layers/timeout.ts";
import { policiesOf } from "../../src/policies.ts";
import type { Provider } from "../../src/providers/provider.ts";
import { createStanding } from "../../src/resilience/standing.ts";
import { createMetrics } from "../../src/telemetry/metrics.ts";
import { wayOf } from "../../src/way.ts";

/** Around what serves an attempt. */
export type Stack = (service: Service<RoutedCall>) => Service;

export const PROVIDERS = ["openai", "claude", "gemini", "mistral", "vertex_ai", "bedrock"];

/** Logs to nobody. */
export function silentSignals(): Signals {
  return { logger: pino({ enabled: false }), metrics: createMetrics() };
}

/** @param folder in which the file is written */
export function configOf(folder: string, given: object): CompleteConfig {
  const file = join(folder, "config.yaml");
  // JSON is YAML.
  writeFileSync(file, JSON.stringify(given));
  return loadConfig({ file, env: {} });
}

export function stackOf(config: CompleteConfig): { readonly router: Stack; readonly policies: Stack } {
  const { catalogPath } = config.prices;
  const catalog = loadCatalog(readFileSync(catalogPath, "utf8"), catalogPath);
  const standing = createStanding(systemClock, () => {});
  const policies = policiesOf(config, {
    standing,
    signals: silentSignals(),
    clock: systemClock,
    random: Math.random,
  });
  const books = {
    inputs: new Estimator(),
    outputs: new OutputHistory(),
    caches: new PromptCaches(),
    sessions: new Sessions(systemClock),
  };
  const way = wayOf(config, catalog, new Map(PROVIDERS.map((name) => [name, providerOf(name)])), {
    books,
    standing,
  });
  const attempts = (service: Service<RoutedCall>) =>
    retry(policies.retry)(
      limit(policies.limit)(
        breaker(
          standing.circuits,
          policies.circuitRule,
          systemClock,
        )(timeout(policies.timeouts, systemClock)(guard(policies.pace, systemClock)(service))),
      ),
    );
  const onCheaper = () => {};
  const hedged = hedge(policies.hedge);
  return {
    router: way({ hedged: (next) => next, onCheaper }),
    policies: (service) => way({ hedged, onCheaper })(attempts(service)),
  };
}

function providerOf(name: string): Provider {
  const nobody = () => Promise.reject(new Error("it is not called here"));
  return {
    name,
    kind: name,
    off: "",
    batches: false,
    serve: nobody,
    rehearse: nobody,
    availability: nobody,
    close: async () => {},
  };
}
