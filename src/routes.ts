/** What the configuration names: aliases, chains, policies and tasks, with their targets, as the router asks for them. */
import type { CompleteConfig } from "./config/defaults.ts";
import { stringsOf } from "./config/names.ts";
import type { Operation, Target } from "./core/call.ts";
import { splitName } from "./core/target.ts";
import type { AliasRule, Routes } from "./layers/route.ts";
import { type Weighted, weighted } from "./routing/alias.ts";
import { LOW_COST, type PolicyRule } from "./routing/chooser.ts";
import type { Models } from "./routing/eligible.ts";

export function routesOf(config: CompleteConfig, models: Models): Routes {
  const aliases = new Map(
    Object.entries(config.aliases).map(([name, alias]) => [name, aliasOf(alias, config, models)]),
  );
  const chains = new Map(
    Object.entries(config.fallbackChains).map(([name, list]) => [
      name,
      stringsOf(list).flatMap((text) => targetOf(text, "chat", config) ?? []),
    ]),
  );
  const tasks = new Map(Object.entries(config.taskTypes));
  return {
    alias: (name) => aliases.get(name),
    chain: (name) => chains.get(name),
    chains: [...chains.keys()],
    task: (type) => tasks.get(type),
    tasks: [...tasks.keys()],
  };
}

/** @param callable whether a provider is on */
export function policyRulesOf(
  config: CompleteConfig,
  callable: (provider: string) => boolean,
): ReadonlyMap<string, PolicyRule> {
  // What the mock says is no answer: it serves where it is named.
  const everybody = Object.entries(config.providers)
    .filter(([name, { kind }]) => kind !== "mock" && callable(name))
    .flatMap(([name]) => targetOf(name, "chat", config) ?? []);
  const rules = new Map<string, PolicyRule>([
    [
      LOW_COST,
      {
        targets: everybody,
        capabilities: [],
        region: "",
        minQuality: "",
        optimize: "cost",
      },
    ],
  ]);
  for (const [name, policy] of Object.entries(config.routingPolicies)) {
    const targets = policy.prefer.flatMap((text) => targetsOf(text, config));
    rules.set(name, { ...policy, targets: policy.prefer.length > 0 ? targets : everybody });
  }
  return rules;
}

function aliasOf(
  { targets, sticky }: CompleteConfig["aliases"][string],
  config: CompleteConfig,
  models: Models,
): AliasRule {
  const all = (operation: Operation): Weighted[] =>
    targets.flatMap(({ target, weight }) => {
      const found = targetOf(target, operation, config);
      return found ? [weighted(found, weight)] : [];
    });
  const chat = all("chat");
  // Where no target keeps prompts, it makes nothing cheaper to stay.
  const cheaper = chat.some(({ target }) => models.find(target)?.capabilities?.promptCaching !== false);
  return { targets: { chat, embeddings: all("embeddings") }, sticky: sticky && cheaper };
}

/** A provider, `provider/model`, or the targets of an alias. */
function targetsOf(text: string, config: CompleteConfig): Target[] {
  const alias = config.aliases[text];
  if (!alias) return [targetOf(text, "chat", config)].filter((target) => target !== undefined);
  return alias.targets.flatMap(({ target }) => targetOf(target, "chat", config) ?? []);
}

/** Undefined for a provider without a model for that. */
function targetOf(text: string, operation: Operation, { providers }: CompleteConfig): Target | undefined {
  const { provider, model } = splitName(text);
  const { defaultModel = "", defaultEmbeddingModel = "" } = providers[provider] ?? {};
  const usual = operation === "chat" ? defaultModel : defaultEmbeddingModel;
  const named = text === provider ? usual : model;
  return named ? { provider, model: named } : undefined;
}
