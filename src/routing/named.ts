/** Finds who is meant by a name: a provider, a provider and model, or a model of the catalog. */
import type { Operation, Target } from "../core/call.ts";
import { Failure, type FailureKind } from "../core/failure.ts";

/** What the router knows of the configuration and the catalog. */
export interface Directory {
  /** Undefined when no provider has this name. */
  provider(name: string): Listed | undefined;
  readonly providers: readonly string[];
  /** The configured providers that have this model, in the configuration's order: those that are off only where all are. */
  providersOf(model: string): readonly string[];
  /** As `provider/model`. */
  readonly defaultModels: DefaultModels;
}

/** A provider as the configuration has it. */
export interface Listed {
  /** The text by which all else is kept: a name cut out of a request would be a new text for each of them. */
  readonly name: string;
  readonly defaultModels: DefaultModels;
  /** All that it offers; empty for whatever it has. */
  readonly models: readonly string[];
}

/** The model that is meant when a request names none; may be empty. */
export type DefaultModels = Readonly<Record<Operation, string>>;

/** Where a default stands in the configuration, and what a request could name instead. */
export const DEFAULTS: Readonly<Record<Operation, { readonly field: string; readonly example: string }>> = {
  chat: { field: "default_model", example: "openai/gpt-4o" },
  embeddings: { field: "default_embedding_model", example: "openai/text-embedding-3-small" },
};

export interface Named {
  readonly target: Target;
  readonly policy: "explicit" | "catalog";
  readonly reason: string;
}

/** @throws Failure `unknown_model` or `invalid_request` */
export function named(
  model: string,
  modelVersion: string,
  operation: Operation,
  directory: Directory,
): Named {
  const whole = directory.provider(model);
  if (whole) return ofProvider(whole, modelVersion, operation);
  if (modelVersion) throw unknownProvider("model", model, directory);
  const slash = model.indexOf("/");
  if (slash > 0) {
    const first = directory.provider(model.slice(0, slash));
    if (first) return ofProvider(first, model.slice(slash + 1), operation);
  }
  const [provider] = directory.providersOf(model);
  if (provider) {
    return {
      target: { provider, model },
      policy: "catalog",
      reason: `${provider} is the first configured provider of ${model}`,
    };
  }
  if (slash > 0) throw unknownProvider("model", model.slice(0, slash), directory);
  throw refused(
    "unknown_model",
    "model",
    `"${model}" is neither a provider (${directory.providers.join(", ")}) nor a model that the price catalog knows; GET /v1/gateway/models lists them`,
  );
}

function ofProvider(
  { name: provider, defaultModels, models }: Listed,
  version: string,
  operation: Operation,
): Named {
  const model = version || defaultModels[operation];
  if (!model) {
    throw refused(
      "invalid_request",
      "model_version",
      `is missing, and ${provider} has no ${DEFAULTS[operation].field} in the configuration`,
    );
  }
  if (models.length > 0 && !models.includes(model)) {
    throw refused(
      "unknown_model",
      "model_version",
      `"${model}" is not among the models of ${provider}: ${models.join(", ")}`,
    );
  }
  return {
    target: { provider, model },
    policy: "explicit",
    reason: version ? "the request names it" : `the request names ${provider}, whose default is ${model}`,
  };
}

function unknownProvider(field: string, name: string, directory: Directory): Failure {
  return refused(
    "unknown_model",
    field,
    `there is no provider "${name}"; the providers are ${directory.providers.join(", ")}`,
  );
}

export function refused(kind: FailureKind, field: string, description: string): Failure {
  return new Failure(kind, `${field}: ${description}`, { violations: [{ field, description }] });
}
