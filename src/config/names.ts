/** Whether what the configuration names is there: the targets of aliases, chains, policies and tasks, and families. */
import { CapabilitiesSchema } from "../../gen/ts/llmgateway/v1/gateway_pb.ts";
import { FAILURES } from "../core/failure.ts";
import { keyPath, type Violation } from "../core/strict-json.ts";
import { splitName } from "../core/target.ts";
import type { CompleteConfig } from "./defaults.ts";

export function nameViolations(config: CompleteConfig): Violation[] {
  return [
    ...aliasViolations(config),
    ...chainViolations(config),
    ...policyViolations(config),
    ...taskViolations(config),
    ...familyViolations(config),
    ...kindViolations("resilience", config.resilience),
    ...Object.entries(config.providers).flatMap(([name, { resilience }]) =>
      kindViolations(`${keyPath("providers", name)}.resilience`, resilience),
    ),
  ];
}

function aliasViolations(config: CompleteConfig): Violation[] {
  return Object.entries(config.aliases).flatMap(([name, { targets }]) => {
    const path = keyPath("aliases", name);
    const hides = Object.hasOwn(config.providers, name)
      ? [{ field: path, description: "is the name of a provider; give the alias another" }]
      : [];
    const weightless = targets.every(({ weight }) => weight === 0)
      ? [{ field: `${path}.targets`, description: "all have the weight 0; give one of them more" }]
      : [];
    const unknown = targets.flatMap(({ target }, index) =>
      targetViolation(`${path}.targets[${index}].target`, target, config),
    );
    return [...hides, ...weightless, ...unknown];
  });
}

function chainViolations(config: CompleteConfig): Violation[] {
  return Object.entries(config.fallbackChains).flatMap(([name, { values }]) => {
    const path = keyPath("fallback_chains", name);
    if (name === "none")
      return [{ field: path, description: "is what a request says for no chain; give it another name" }];
    return values.flatMap(({ kind }, index) => {
      const field = `${path}[${index}]`;
      if (kind.case === "stringValue") return targetViolation(field, kind.value, config);
      return [{ field, description: 'must be a string, such as "openai/gpt-4o"' }];
    });
  });
}

function policyViolations(config: CompleteConfig): Violation[] {
  const known = new Set(CapabilitiesSchema.fields.map(({ name }) => name));
  known.delete("regions");
  return Object.entries(config.routingPolicies).flatMap(([name, { prefer, capabilities }]) => {
    const path = keyPath("routing_policies", name);
    const unknown = capabilities.flatMap((capability, index) => {
      if (known.has(capability)) return [];
      const description = `"${capability}" is no capability; there are ${[...known].join(", ")}`;
      return [{ field: `${path}.capabilities[${index}]`, description }];
    });
    const targets = prefer.flatMap((text, index) =>
      Object.hasOwn(config.aliases, text) ? [] : targetViolation(`${path}.prefer[${index}]`, text, config),
    );
    return [...unknown, ...targets];
  });
}

function taskViolations(config: CompleteConfig): Violation[] {
  return Object.entries(config.taskTypes).flatMap(([task, name]) =>
    Object.hasOwn(config.aliases, name) ? [] : targetViolation(keyPath("task_types", task), name, config),
  );
}

function familyViolations({ cache, aliases, providers }: CompleteConfig): Violation[] {
  return Object.keys(cache.families).flatMap((name) => {
    if (Object.hasOwn(aliases, name)) return [];
    const field = keyPath("cache.families", name);
    const { provider, model } = splitName(name);
    if (!Object.hasOwn(providers, provider)) {
      const there = [...Object.keys(aliases), ...Object.keys(providers).map((one) => `${one}/MODEL`)].join(
        ", ",
      );
      return [
        {
          field,
          description: `names neither an alias nor a model of a configured provider; there are ${there}`,
        },
      ];
    }
    return model ? [] : [{ field, description: `names no model; give ${provider}/MODEL` }];
  });
}

function kindViolations(path: string, { retries }: CompleteConfig["resilience"]): Violation[] {
  return Object.keys(retries.byKind).flatMap((kind) => {
    if (Object.hasOwn(FAILURES, kind)) return [];
    const description = "is no kind of failure; docs/errors.md lists them";
    return [{ field: keyPath(`${path}.retries.by_kind`, kind), description }];
  });
}

function targetViolation(field: string, text: string, { providers }: CompleteConfig): Violation[] {
  const { provider, model } = splitName(text);
  const names = Object.keys(providers).join(", ");
  const known = providers[provider];
  if (!known) return [{ field, description: `names no configured provider; there are ${names}` }];
  const named = text === provider ? known.defaultModel || known.defaultEmbeddingModel : model;
  if (named) return [];
  return [
    { field, description: `names no model, and ${provider} has no default_model; give ${provider}/MODEL` },
  ];
}
