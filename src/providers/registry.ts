/** The kinds of provider, as a table: what each needs, and how it is built. */
import type { Provider as ProviderConfig } from "../../gen/ts/llmgateway/config/v1/config_pb.ts";
import type { AttemptCall, Service } from "../core/call.ts";
import type { Clock } from "../core/clock.ts";
import { Failure } from "../core/failure.ts";
import { createTransport } from "../wire/transport.ts";
import { rememberAvailability } from "./availability.ts";
import type { Dialect } from "./dialect.ts";
import { httpProvider, splitBaseUrl } from "./http.ts";
import { mockProvider } from "./mock.ts";
import { checkAvailability } from "./openai/availability.ts";
import { openaiDialect } from "./openai/dialect.ts";
import type { OpenAiTraits } from "./openai/encode.ts";
import type { Provider } from "./provider.ts";

/** One provider's slice of the configuration, and what surrounds it. */
export interface ProviderSettings {
  readonly name: string;
  readonly config: ProviderConfig;
  /** The key itself; undefined when there is none. */
  readonly apiKey: string | undefined;
  readonly connectTimeoutMs: number;
  readonly maxConnections: number;
  readonly bufferedReads: number;
  readonly clock: Clock;
}

/** What the kind decides of a provider. */
type Working = Pick<Provider, "serve" | "availability" | "close">;

interface Kind {
  /** Whether it is off without a key. */
  readonly needsKey: boolean;
  build(settings: ProviderSettings): Working;
}

const KINDS: Readonly<Record<string, Kind>> = {
  openai: {
    needsKey: true,
    build: likeOpenAi,
  },
  openai_compatible: {
    // Models served in the company often want none.
    needsKey: false,
    build: likeOpenAi,
  },
  mock: {
    needsKey: false,
    build: () => ({
      serve: mockProvider(),
      availability: async () => ({ status: "available", reason: "" }),
      close: async () => {},
    }),
  },
};

export function createProvider(settings: ProviderSettings): Provider {
  const { name, config } = settings;
  const kind = KINDS[config.kind];
  if (!kind)
    throw new Failure("provider_unavailable", `${name}: there is no kind of provider "${config.kind}"`);
  const off = whyOff(settings, kind);
  return { name, kind: config.kind, off, ...(off ? closed(name, off) : kind.build(settings)) };
}

function whyOff({ config, apiKey }: ProviderSettings, kind: Kind): string {
  if (config.enabled === false) return "switched off in the configuration";
  if (apiKey) return "";
  if (config.apiKeyEnv) return `its key is missing: set ${config.apiKeyEnv}`;
  return kind.needsKey ? "it has no api_key_env in the configuration" : "";
}

function closed(name: string, reason: string): Working {
  const serve: Service<AttemptCall> = async () => {
    throw new Failure("provider_unavailable", `the provider ${name} is off: ${reason}`);
  };
  return { serve, availability: async () => ({ status: "off", reason }), close: async () => {} };
}

function overHttp(settings: ProviderSettings, dialect: Dialect): Working {
  const { config, clock, apiKey } = settings;
  const { origin, basePath } = splitBaseUrl(config.baseUrl);
  const headers = headersFor(settings);
  const transport = createTransport({
    origin,
    maxConnections: settings.maxConnections,
    connectTimeoutMs: settings.connectTimeoutMs,
    bufferedReads: settings.bufferedReads,
  });
  const query = config.dialect?.query ?? "";
  return {
    serve: httpProvider(dialect, { basePath, query: query && `?${query}`, headers, apiKey }, transport),
    availability: rememberAvailability(
      checkAvailability({ baseUrl: config.baseUrl, query, headers, apiKey }),
      clock,
    ),
    close: transport.close,
  };
}

function likeOpenAi(settings: ProviderSettings): Working {
  return overHttp(settings, openaiDialect(traitsOf(settings.config)));
}

function headersFor({ config, apiKey }: ProviderSettings): Record<string, string> {
  const { keyHeader = "" } = config.dialect ?? {};
  const key = !apiKey ? {} : keyHeader ? { [keyHeader]: apiKey } : { authorization: `Bearer ${apiKey}` };
  return { ...config.headers, ...key };
}

function traitsOf({ dialect }: ProviderConfig): OpenAiTraits {
  return {
    maxTokensField: dialect?.maxTokensField === "max_tokens" ? "max_tokens" : "max_completion_tokens",
    streamUsage: dialect?.streamUsage ?? true,
  };
}
