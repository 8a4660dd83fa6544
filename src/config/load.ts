/**
 * One immutable configuration from a YAML file, the environment and the defaults. It decides nothing by
 * what it reads: which providers are usable is for others to say.
 */
import { create } from "@bufbuild/protobuf";
import { type Config, ConfigSchema } from "../../gen/ts/llmgateway/config/v1/config_pb.ts";
import { deepFreeze } from "../core/freeze.ts";
import { keyPath, readStrict, type Violation } from "../core/strict-json.ts";
import { violationsOf } from "./check.ts";
import { type CompleteConfig, withDefaults } from "./defaults.ts";
import { applyEnvironment, type Environment } from "./environment.ts";
import { ConfigError, type Problem } from "./error.ts";
import { SECRET } from "./form.ts";
import { readTemplates, type TemplateFile } from "./templates.ts";
import { ENVIRONMENT } from "./variables.ts";
import { readYamlFile } from "./yaml-file.ts";

export interface Sources {
  /** Path of a YAML file, beside which templates may lie; without it the environment and the defaults decide alone. */
  readonly file?: string | undefined;
  readonly env: Environment;
}

/**
 * The environment wins over the file, the file over the defaults; the result is complete and frozen to its
 * depth.
 *
 * @throws ConfigError with everything that is wrong. What a file means is judged once it can be read.
 */
export function loadConfig(sources: Sources): CompleteConfig {
  return configLoader(sources)();
}

/** For the same sources again and again: a file that held something before, and nothing now, is being written. */
export function configLoader({ file, env }: Sources): () => CompleteConfig {
  let mayBeEmpty = true;
  return () => {
    const problems: Problem[] = [];
    const json = file === undefined ? null : readYamlFile(file, problems);
    if (file !== undefined && json === null && !mayBeEmpty) {
      const description = "holds nothing; start the gateway anew if that is meant";
      throw new ConfigError([{ source: file, path: "", description }]);
    }
    const config = configOf(json, { file, env }, problems);
    mayBeEmpty = json === null;
    return config;
  };
}

/** @param json undefined for a file that cannot be read, and null for nothing */
function configOf(json: unknown, { file, env }: Sources, problems: Problem[]): CompleteConfig {
  const draft = json === undefined ? undefined : draftOf(json ?? {}, problems, file);
  const beside = file === undefined ? [] : readTemplates(file, problems);
  if (draft) addTemplates(draft, beside, problems);
  const origins = applyEnvironment(draft ?? create(ConfigSchema), env, problems);
  if (draft === undefined) throw new ConfigError(problems);
  const config = withDefaults(draft);
  for (const violation of violationsOf(config)) problems.push(blame(violation, origins, file, beside));
  problems.push(...unusableSecrets(config, env));
  if (problems.length > 0) throw new ConfigError(problems);
  return deepFreeze(config);
}

/**
 * What is open to every address since there were keys must not be open to everyone because a file was half written, or
 * its keys were forgotten: that takes a restart.
 *
 * @throws ConfigError
 */
export function checkSuccessor(next: CompleteConfig, before: CompleteConfig): void {
  if (next.auth.keys.length > 0 || before.auth.keys.length === 0) return;
  const description = "are gone, and without any everyone may call; start the gateway anew if that is meant";
  throw new ConfigError([{ source: "configuration", path: "auth.keys", description }]);
}

function draftOf(json: unknown, problems: Problem[], file?: string): Config | undefined {
  const read = readStrict(ConfigSchema, json);
  if ("message" in read) return read.message;
  for (const violation of read.violations) problems.push(blame(violation, new Map(), file));
  return undefined;
}

/** Those in files are added to those in the configuration, and replace none. */
function addTemplates(draft: Config, beside: readonly TemplateFile[], problems: Problem[]): void {
  for (const { key, path, template } of beside) {
    if (Object.hasOwn(draft.templates, key)) {
      const description = `there is another template ${JSON.stringify(key)}; keep one of them`;
      problems.push({ source: path, path: "", description });
    } else draft.templates[key] = template;
  }
}

/** The source that set the field: the file of a template, a variable whose field it is or is part of, otherwise the file. */
function blame(
  { field, description }: Violation,
  origins: ReadonlyMap<string, string>,
  file = "configuration",
  beside: readonly TemplateFile[] = [],
): Problem {
  for (const { key, path } of beside) {
    const whole = keyPath("templates", key);
    if (field === whole || field.startsWith(`${whole}.`))
      return { source: path, path: field.slice(whole.length + 1), description };
  }
  const [path, variable] =
    [...origins].find(([path]) => field === path || field.startsWith(`${path}.`)) ?? [];
  return { source: path === undefined ? file : (variable ?? file), path: field, description };
}

/** Only that a key could be sent is asked here; whether one is needed at all depends on the provider. */
function unusableSecrets(config: CompleteConfig, env: Environment): Problem[] {
  const names = new Set(Object.values(config.providers).map((provider) => provider.apiKeyEnv));
  // These have been looked at already.
  for (const { name } of ENVIRONMENT) names.delete(name);
  return [...names]
    .filter((name) => env[name] && SECRET.parse(env[name]) === undefined)
    .map((name) => ({ source: name, path: "", description: `must be ${SECRET.words}` }));
}
