/**
 * The environment variables: their names, the text they accept, and the field of the configuration that
 * each sets. An empty variable counts as unset. No key is copied from here into the configuration.
 */
import { create, type JsonValue, mergeFromJson } from "@bufbuild/protobuf";
import { type Config, ConfigSchema, ProviderSchema } from "../../gen/ts/llmgateway/config/v1/config_pb.ts";
import type { Problem } from "./error.ts";
import { ENVIRONMENT } from "./variables.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Sets the draft's fields from the variables that are given; a malformed one is a problem and sets nothing.
 *
 * @returns the variable behind each field that was set, by the field's path
 */
export function applyEnvironment(
  draft: Config,
  env: Environment,
  problems: Problem[],
): ReadonlyMap<string, string> {
  const origins = new Map<string, string>();
  for (const { name, field, form } of ENVIRONMENT) {
    const given = env[name];
    if (given === undefined || given === "") continue;
    const value = form.parse(given);
    if (value === undefined) problems.push({ source: name, path: "", description: `must be ${form.words}` });
    else if (field !== "") {
      const first = draft.auth?.keys.length ?? 0;
      override(draft, field.split("."), value);
      // The keys are the one list: they are added behind those of the file.
      if (Array.isArray(value))
        for (const index of value.keys()) origins.set(`${field}[${first + index}]`, name);
      else origins.set(field, name);
    }
  }
  return origins;
}

/** Merging adds to lists and descends into messages, but replaces a map's entry whole: hence the one exception. */
function override(draft: Config, path: readonly string[], value: JsonValue): void {
  const [first, name] = path;
  if (first === "providers" && name !== undefined) {
    const provider = draft.providers[name] ?? create(ProviderSchema);
    draft.providers[name] = mergeFromJson(ProviderSchema, provider, nest(path.slice(2), value));
  } else {
    mergeFromJson(ConfigSchema, draft, nest(path, value));
  }
}

function nest(path: readonly string[], value: JsonValue): JsonValue {
  return path.reduceRight<JsonValue>((inner, name) => ({ [name]: inner }), value);
}
