/** Shows how circuits and limits stand, in the metrics. */
import type { Registry } from "prom-client";
import type { Standing } from "./resilience/standing.ts";
import { showCircuits, showLimits } from "./telemetry/resilience.ts";

/** @param providers those that are configured */
export function showStanding(
  registry: Registry,
  { circuits, limiters }: Standing,
  providers: () => readonly string[],
): void {
  showCircuits(registry, () => [
    ...providers().map((provider) => ({ provider, model: "", state: circuits.provider(provider).state })),
    ...[...circuits.ofModels()].map(({ target, circuit }) => ({ ...target, state: circuit.state })),
  ]);
  showLimits(registry, () =>
    [...limiters.all()].map(({ limit: { provider, model }, limiter }) => ({
      provider,
      model,
      limit: limiter.limit,
      inFlight: limiter.inFlight,
      queued: limiter.queued,
    })),
  );
}
