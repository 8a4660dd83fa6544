/** What it costs to choose among 10 and among 100 targets: `node test/bench/chooser.ts`. */

import { readFileSync } from "node:fs";
import { loadCatalog } from "../../src/cost/catalog.ts";
import { Estimator } from "../../src/cost/estimate.ts";
import { OutputHistory } from "../../src/cost/history.ts";
import { expectedCost, expectedInput } from "../../src/cost/plan.ts";
import { PromptCaches } from "../../src/cost/prompt-caches.ts";
import { choose, LOW_COST } from "../../src/routing/chooser.ts";
import { callOf } from "../support/call.ts";
import { routeMeansOf } from "../support/route.ts";

const ROUNDS = 2_000;
const catalog = loadCatalog(readFileSync("docs/price-catalog.json", "utf8"), "docs/price-catalog.json");
const chat = catalog.models().filter(({ capabilities }) => capabilities?.chat !== false);

for (const words of [20, 5_000]) {
  for (const count of [10, 100]) console.log(`${words} words, ${count} targets: ${measure(count, words)} µs`);
}

function measure(count: number, words: number): string {
  const targets = chat.slice(0, count).map(({ provider, model }) => ({ provider, model }));
  const means = {
    inputs: new Estimator(),
    outputs: new OutputHistory(),
    caches: new PromptCaches(),
    pricing: {
      version: catalog.version,
      find: ({ provider, model }: { provider: string; model: string }) => catalog.find(provider, model),
      kindOf: (provider: string) => provider,
      unknownModels: "" as const,
    },
  };
  const rule = { targets, capabilities: [], region: "", minQuality: "", optimize: "cost" };
  const directory = {
    provider: () => undefined,
    providers: [],
    providersOf: () => [],
    defaultModels: { chat: "", embeddings: "" },
  };
  const chooser = routeMeansOf({
    directory,
    models: {
      find: ({ provider, model }) => catalog.find(provider, model),
      drops: () => false,
      offered: () => [],
    },
    policy: () => rule,
    inputTokens: ({ request }, target) => expectedInput(request, target, means),
    cost: (call, target) => expectedCost(call, target, 0, means),
  });
  const calls = Array.from({ length: ROUNDS }, (_, index) =>
    callOf({ request: { messages: [{ role: "user", content: `${index} ${"word ".repeat(words)}` }] } }),
  );
  for (const call of calls.slice(0, ROUNDS / 2)) choose(call, LOW_COST, undefined, chooser);
  const rest = calls.slice(ROUNDS / 2);
  const startedAt = performance.now();
  for (const call of rest) choose(call, LOW_COST, undefined, chooser);
  return (((performance.now() - startedAt) * 1_000) / rest.length).toFixed(1);
}
