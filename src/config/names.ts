/** Whether what the configuration names is there: the targets of aliases, chains, policies and tasks, and families. */
import type { ListValue } from "@bufbuild/protobuf/wkt";
import { CapabilitiesSchema } from "../../gen/ts/llmgateway/v1/gateway_pb.ts";
import { FAILURES } from "../core/failure.ts";
import { keyPath, type Violation } from "../core/strict-json.ts";
import { splitName } from "../core/target.ts";
import { LEXICAL } from "./cache.ts";
import type { CompleteConfig } from "./defaults.ts";
import { type CompleteExperiment, experimentViolations } from "./experiments.ts";

export function nameViolations(config: CompleteConfig): Violation[] {
  return [
    ...aliasViolations(config),
    ...chainViolations(config),
    ...policyViolations(config),
    ...taskViolations(config),
    ...familyViolations(config),
    ...embedderViolations(config),
    ...Object.entries(config.experiments).flatMap(([name, experiment]) => [
      ...experimentViolations(name, experiment),
      ...wayViolations(name, experiment, config),
    ]),
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

/** Of an experiment's variants and shadows, and of the tasks that it is about. */
function wayViolations(name: string, experiment: CompleteExperiment, config: CompleteConfig): Violation[] {
  const path = keyPath("experiments", name);
  const ways = (["variants", "shadows"] as const).flatMap((list) =>
    experiment[list].flatMap(({ model }, index) =>
      Object.hasOwn(config.aliases, model)
        ? []
        : targetViolation(`${path}.${list}[${index}].model`, model, config),
    ),
  );
  const tasks = experiment.taskTypes.flatMap((task, index) => {
    if (Object.hasOwn(config.taskTypes, task)) return [];
    const there = Object.keys(config.taskTypes).join(", ");
    return [{ field: `${path}.task_types[${index}]`, description: `is no task type; there are ${there}` }];
  });
  return [...ways, ...tasks];
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

function embedderViolations(config: CompleteConfig): Violation[] {
  const { embedder } = config.cache.semantic;
  const field = "cache.semantic.embedder";
  if (embedder === LEXICAL) return [];
  const { provider, model } = splitName(embedder);
  if (Object.hasOwn(config.providers, provider) && model) return [];
  const names = Object.keys(config.providers).join(", ");
  return [{ field, description: `must be ${LEXICAL}, or PROVIDER/MODEL with one of ${names}` }];
}

/** The elements of a list; those of other types are errors of the configuration. */
export function stringsOf({ values }: ListValue): string[] {
  return values.map(({ kind }) => (kind.case === "stringValue" ? kind.value : ""));
}

/** Of what names a provider. */
export function notConfigured(providers: CompleteConfig["providers"]): string {
  return `names no configured provider; there are ${Object.keys(providers).join(", ")}`;
}

function targetViolation(field: string, text: string, { providers }: CompleteConfig): Violation[] {
  const { provider, model } = splitName(text);
  const known = providers[provider];
  if (!known) return [{ field, description: notConfigured(providers) }];
  const named = text === provider ? known.defaultModel || known.defaultEmbeddingModel : model;
  if (named) return [];
  return [
    { field, description: `names no model, and ${provider} has no default_model; give ${provider}/MODEL` },
  ];
}
