/** The moderation hooks that the configuration has, as their layer asks for them, and what they keep open. */
import { randomUUID } from "node:crypto";
import { durationMs } from "@bufbuild/protobuf/wkt";
import type { CompleteConfig } from "./config/defaults.ts";
import { ConfigError } from "./config/error.ts";
import type { CompleteHook } from "./config/moderation.ts";
import type { Call } from "./core/call.ts";
import type { Clock } from "./core/clock.ts";
import { messageOf } from "./core/message.ts";
import { splitName } from "./core/target.ts";
import { type Foreseen, foreseenBy } from "./foreseen.ts";
import { secretProblem, urlProblem } from "./jobs/webhook/allow.ts";
import { webhookRulesOf } from "./jobs/webhook/rules.ts";
import { signatureHeaders } from "./jobs/webhook/sign.ts";
import type { ModerateMeans } from "./layers/moderate.ts";
import type { Signals } from "./layers/record.ts";
import { blocklist } from "./moderation/blocklist.ts";
import type { Action, Hook, Stage } from "./moderation/hook.ts";
import { pii } from "./moderation/pii.ts";
import { providerModeration } from "./moderation/provider.ts";
import { secrets } from "./moderation/secrets.ts";
import { webhook } from "./moderation/webhook.ts";
import { splitBaseUrl } from "./providers/http.ts";
import { VERSION } from "./version.ts";
import { createNetworks } from "./wire/address.ts";
import { systemResolve } from "./wire/destination.ts";
import { createTransport } from "./wire/transport.ts";

export interface Moderating extends ModerateMeans {
  /** Lets go of connections. */
  close(): Promise<void>;
}

interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signals: Signals;
  readonly clock: Clock;
}

/** @throws ConfigError for a webhook that may not be called */
export function moderatingOf(config: CompleteConfig, around: Surroundings): Moderating {
  const { logger, metrics } = around.signals;
  const open: (() => Promise<void>)[] = [];
  const foreseen = foreseenBy(config);
  const built = config.moderation.hooks.map((hook, index) => {
    const path = `moderation.hooks[${index}]`;
    return hookOf(hook, looksOf(hook, path, config, around, open), foreseen, config);
  });
  return {
    hooks: built,
    clock: around.clock,
    count: (hook, action, stage) => metrics.moderation.inc({ hook, action, stage }),
    onError: (hook, error) => {
      const failure = messageOf(error);
      logger.warn({ hook, failure }, "a moderation hook failed");
    },
    close: async () => void (await Promise.all(open.map((close) => close()))),
  };
}

function hookOf(hook: CompleteHook, looks: Hook["looks"], foreseen: Foreseen, config: CompleteConfig): Hook {
  const { name, models, exemptKeys, reasoning, tools } = hook;
  return {
    name,
    on: new Set(hook.on as Stage[]),
    action: hook.action as Action,
    failOpen: hook.fail === "open",
    timeoutMs: durationMs(hook.timeout),
    restore: hook.restore,
    looks,
    isFor: (call) => !exemptKeys.includes(call.context.principal) && isFor(models, call, foreseen, config),
    looksAt: (kind) => kind === "text" || kind === "structured" || (kind === "reasoning" ? reasoning : tools),
  };
}

/** A name that is a model's alone may be any provider's. */
function isFor(
  models: readonly string[],
  call: Call,
  foreseen: Foreseen,
  { aliases, providers }: CompleteConfig,
): boolean {
  if (models.length === 0) return true;
  const names = foreseen(call);
  if (!names) return true;
  const isModelAlone = (name: string) =>
    !Object.hasOwn(aliases, name) && !Object.hasOwn(providers, splitName(name).provider);
  return models.some((entry) => {
    const isProvider = Object.hasOwn(providers, entry);
    return [...names].some((name) => isMeant(name, entry) || (isProvider && isModelAlone(name)));
  });
}

function isMeant(name: string, entry: string): boolean {
  return (
    name === entry ||
    name.startsWith(`${entry}/`) ||
    entry.startsWith(`${name}/`) ||
    splitName(entry).model === name
  );
}

function looksOf(
  hook: CompleteHook,
  path: string,
  config: CompleteConfig,
  { env, clock }: Surroundings,
  open: (() => Promise<void>)[],
): Hook["looks"] {
  const { kind, categories, words, patterns, maxChars, windowChars } = hook;
  switch (kind) {
    case "pii":
      return pii(categories);
    case "secrets":
      return secrets(categories);
    case "blocklist":
      return blocklist(words, patterns);
    case "max_length":
      return { kind: "length", maxChars };
    case "provider_moderation": {
      const { transport, ...endpoint } = endpointOf(hook, config, env);
      open.push(transport.close);
      return providerModeration({ transport, ...endpoint, model: hook.model, categories, windowChars });
    }
    default: {
      const rules = webhookRulesOf(config.jobs.webhooks, env);
      const problem = secretProblem(rules) ?? urlProblem(hook.url, rules);
      if (problem)
        throw new ConfigError([{ source: "configuration", path: `${path}.url`, description: problem }]);
      const { looks, close } = webhook({
        url: hook.url,
        networks: createNetworks(rules.allowedNetworks),
        resolve: systemResolve,
        connectTimeoutMs: durationMs(hook.timeout),
        sign: (body) => signatureHeaders(`msg_${randomUUID()}`, clock.now(), body, rules.secrets),
        userAgent: `llmgateway/${VERSION}`,
        windowChars,
      });
      open.push(close);
      return looks;
    }
  }
}

/** The provider's own address and first key; calls to it are no attempts, and so are not spread over keys. */
function endpointOf({ provider }: CompleteHook, config: CompleteConfig, env: Surroundings["env"]) {
  const known = config.providers[provider];
  if (!known) throw new Error(`there is no provider ${provider}`);
  const { baseUrl, apiKeyEnv, dialect, headers, timeouts } = known;
  const { origin, basePath } = splitBaseUrl(baseUrl);
  const [key = ""] = (apiKeyEnv ? (env[apiKeyEnv] ?? "") : "").split(",");
  const proof = dialect.keyHeader ? { [dialect.keyHeader]: key } : { authorization: `Bearer ${key}` };
  return {
    transport: createTransport({
      origin,
      maxConnections: known.maxConnections,
      connectTimeoutMs: durationMs(timeouts.connect),
      bufferedReads: config.stream.bufferSize,
    }),
    path: `${basePath}/moderations${dialect.query ? `?${dialect.query}` : ""}`,
    headers: { ...headers, ...(key ? proof : {}) },
  };
}
