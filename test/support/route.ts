/** What the router goes by, with nothing configured: everybody is on, nothing is known of models. */
import type { RouteMeans } from "../../src/layers/route.ts";

export function routeMeansOf(given: Partial<RouteMeans> & Pick<RouteMeans, "directory">): RouteMeans {
  return {
    routes: { alias: () => undefined, chain: () => undefined, chains: [], task: () => undefined, tasks: [] },
    models: { find: () => undefined, drops: () => false, offered: () => [] },
    off: () => "",
    inputTokens: () => 0,
    policy: () => undefined,
    policies: [],
    cost: () => undefined,
    leastCost: () => undefined,
    latencyMs: () => undefined,
    stateOf: () => "closed",
    awaitsProbe: () => false,
    region: () => "",
    quality: () => "standard",
    random: () => 0,
    onCheaper: () => {},
    ...given,
  };
}
