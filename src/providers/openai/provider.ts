/** OpenAI as a kind of provider, and whoever speaks like it, with a key and over the same paths. */
import type { Provider as ProviderConfig } from "../../../gen/ts/llmgateway/config/v1/config_pb.ts";
import type { Clock } from "../../core/clock.ts";
import type { BatchAdapter } from "../batch_adapter.ts";
import type { Dialect } from "../dialect.ts";
import { keyCredentials } from "../keys.ts";
import { type Kind, overHttp, type ProviderSettings, type Working, withoutKeys } from "../kind.ts";
import { MAX_CALL_ID_CHARS, PRESETS } from "../presets.ts";
import { checkAvailability } from "./availability.ts";
import { openaiBatches } from "./batches.ts";
import { openaiDialect } from "./dialect.ts";
import type { Access } from "./sdk.ts";
import type { OpenAiTraits } from "./traits.ts";

export const openai: Kind = {
  whyOff: withoutKeys,
  build: (settings) => {
    const traits = { ...traitsOf(settings.config), maxCallIdChars: MAX_CALL_ID_CHARS };
    return likeOpenAi(settings, openaiDialect(traits), openaiBatches);
  },
};

export const openaiCompatible: Kind = {
  // Models served in the company often want no key.
  whyOff: (settings) => (settings.config.apiKeyEnv ? withoutKeys(settings) : ""),
  build,
};

function build(settings: ProviderSettings): Working {
  return likeOpenAi(settings, openaiDialect(traitsOf(settings.config)));
}

/** @param batches where the provider has them */
export function likeOpenAi(
  settings: ProviderSettings,
  dialect: Dialect,
  batches?: (access: Access, clock: Clock) => BatchAdapter,
): Working {
  const { config, keys, clock } = settings;
  const { baseUrl, headers } = config;
  const { query = "" } = config.dialect ?? {};
  const accessBy = (some: readonly string[]): Access => ({
    baseUrl,
    query,
    headers,
    credentials: keyCredentials(some, (key) => keyHeader(key, config), clock),
  });
  const access = accessBy(keys);
  return overHttp(settings, {
    dialect,
    baseUrl,
    query,
    credentials: access.credentials,
    ...(batches && { batches: batches(accessBy(keys.slice(0, 1)), clock) }),
    check: checkAvailability(access),
  });
}

function keyHeader(key: string, { dialect }: ProviderConfig): Record<string, string> {
  return dialect?.keyHeader ? { [dialect.keyHeader]: key } : { authorization: `Bearer ${key}` };
}

/** What the configuration can say, it says by now; the rest is the preset's. */
function traitsOf({ dialect, preset, baseUrl }: ProviderConfig): OpenAiTraits {
  const known = PRESETS[preset];
  const below = known?.deploymentsBelow;
  return {
    maxTokensField: dialect?.maxTokensField === "max_tokens" ? "max_tokens" : "max_completion_tokens",
    streamUsage: dialect?.streamUsage ?? true,
    ...known?.messages,
    deployments: below !== undefined && baseUrl.replace(/\/+$/, "").endsWith(below),
  };
}
