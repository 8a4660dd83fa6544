/** The part of a call's way on which nothing is sent: who is to be asked, and whether each of them can. */
import type { Books } from "./books.ts";
import type { CompleteConfig } from "./config/defaults.ts";
import type { Call, Layer, RoutedCall, Target } from "./core/call.ts";
import { sessionOf } from "./core/session.ts";
import type { Catalog } from "./cost/catalog.ts";
import { expectedCost, expectedInput } from "./cost/plan.ts";
import { batch } from "./layers/batch.ts";
import { fallback } from "./layers/fallback.ts";
import { type RouteMeans, route } from "./layers/route.ts";
import { suit } from "./layers/suit.ts";
import { whole } from "./layers/whole.ts";
import { batchRules, directoryOf, knownModels, pricingOf } from "./models.ts";
import type { Provider } from "./providers/provider.ts";
import type { Standing } from "./resilience/standing.ts";
import { policyRulesOf, routesOf } from "./routes.ts";
import type { Models } from "./routing/eligible.ts";

/** What it goes by, beside the configuration. */
export interface RoutingMeans {
  readonly books: Pick<Books, "inputs" | "outputs" | "caches" | "sessions">;
  readonly standing: Standing;
}

/** What differs between calls and those that only ask what would become of one. */
export interface Purpose {
  /** Stands around all that judges a call for one target. */
  readonly hedged: Layer<RoutedCall>;
  /** Told of a call that goes where it costs less than it would have without being chosen. */
  onCheaper(target: Target): void;
}

/**
 * What stands above all that would count a refused call as an attempt, and so judges a job before it is one. Made once
 * for all purposes.
 */
export function wayOf(
  config: CompleteConfig,
  catalog: Catalog,
  providers: ReadonlyMap<string, Provider>,
  means: RoutingMeans,
): (purpose: Purpose) => Layer<Call, RoutedCall> {
  const models = knownModels(config, catalog);
  // A stream whose tokens are not counted would make an estimate of what a job cost.
  const streams = (target: Target) =>
    config.providers[target.provider]?.dialect.streamUsage !== false &&
    models.find(target)?.capabilities?.streaming !== false;
  const routing = routingOf(config, catalog, providers, models, means);
  const streamed = whole(streams);
  const suited = suit(models);
  const batched = batch(batchRules(config, catalog, providers));
  // The router names the target: below, a call is one to a provider, and its model is known. What a batch asks for
  // is judged last, since it hangs on how the call is made.
  // A call is judged anew for each target that it comes to, that of a second attempt included.
  const next = fallback();
  return ({ hedged, onCheaper }) => {
    const routed = route({ ...routing, onCheaper });
    return (below) => routed(next(hedged(streamed(suited(batched(below))))));
  };
}

/** What the router goes by. */
function routingOf(
  config: CompleteConfig,
  catalog: Catalog,
  providers: ReadonlyMap<string, Provider>,
  models: Models,
  { books, standing }: RoutingMeans,
): Omit<RouteMeans, "onCheaper"> {
  const off = (name: string) => providers.get(name)?.off ?? "it is not configured";
  const rules = policyRulesOf(config, (name) => off(name) === "");
  const means = { ...books, pricing: pricingOf(config, catalog) };
  return {
    directory: directoryOf(config, catalog, providers),
    routes: routesOf(config, models),
    models,
    off,
    inputTokens: ({ request }, target) => expectedInput(request, target, means),
    policy: (name) => rules.get(name),
    policies: [...rules.keys()],
    cost: (call, target) =>
      expectedCost(call, target, books.sessions.cachedTokens(sessionOf(call), target), means),
    leastCost: (call, target) =>
      expectedCost(call, target, books.sessions.cachedTokens(sessionOf(call), target), means, 1),
    latencyMs: (target, streaming) => standing.latencies.quantile(target, streaming, 0.5),
    stateOf: (target) => standing.circuits.stateOf(target),
    awaitsProbe: (target) => standing.circuits.awaitsProbe(target),
    region: (name) => config.providers[name]?.region ?? "",
    quality: ({ provider, model }) => config.providers[provider]?.modelSettings[model]?.quality ?? "standard",
    random: Math.random,
  };
}
