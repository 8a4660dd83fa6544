/** What a kind of provider is: when it is off, and how one is built from its slice of the configuration. */
import type { Provider as ProviderConfig } from "../../gen/ts/llmgateway/config/v1/config_pb.ts";
import { type AttemptCall, isBatch, type Service } from "../core/call.ts";
import type { Clock } from "../core/clock.ts";
import { embedded } from "../core/reply.ts";
import { createTransport } from "../wire/transport.ts";
import { rememberAvailability } from "./availability.ts";
import { BatchLane } from "./batch/lane.ts";
import { batchProvider } from "./batch/provider.ts";
import type { BatchAdapter } from "./batch_adapter.ts";
import type { Credentials } from "./credentials.ts";
import type { Dialect } from "./dialect.ts";
import { httpProvider, splitBaseUrl, wishOf } from "./http.ts";
import type { Provider } from "./provider.ts";

/** One provider's slice of the configuration, and what surrounds it. */
export interface ProviderSettings {
  readonly name: string;
  readonly config: ProviderConfig;
  /** The keys themselves; none when there are none. */
  readonly keys: readonly string[];
  /** For credentials that are no keys. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly connectTimeoutMs: number;
  readonly maxConnections: number;
  readonly bufferedReads: number;
  readonly clock: Clock;
  /** Draws from 0 up to 1. */
  readonly random: () => number;
}

/** What the kind decides of a provider. */
export type Working = Pick<Provider, "serve" | "rehearse" | "batches" | "availability" | "close">;

export interface Kind {
  /** Why such a provider cannot be called, for people; empty when it can. */
  whyOff(settings: ProviderSettings): string;
  build(settings: ProviderSettings): Working;
}

/** What a provider behind HTTP is made of. */
export interface HttpParts {
  readonly dialect: Dialect;
  /** A second one, for the models that are spoken to in it. */
  readonly other?: { readonly dialect: Dialect; readonly speaks: (model: string) => boolean };
  readonly baseUrl: string;
  /** For every request, without its `?`; may be empty. */
  readonly query: string;
  readonly credentials: Credentials;
  /** Where the provider has batches. */
  readonly batches?: BatchAdapter;
  /** Asks the provider, cheaply; throws when it would not serve. */
  check(): Promise<void>;
}

export function overHttp(settings: ProviderSettings, parts: HttpParts): Working {
  const { origin, basePath } = splitBaseUrl(parts.baseUrl);
  const transport = createTransport({
    origin,
    maxConnections: settings.maxConnections,
    connectTimeoutMs: settings.connectTimeoutMs,
    bufferedReads: settings.bufferedReads,
  });
  const { headers } = settings.config;
  const { query, credentials, other, batches } = parts;
  const endpoint = { basePath, query, headers, credentials };
  const usual = httpProvider(parts.dialect, endpoint, transport);
  const unusual = other && httpProvider(other.dialect, endpoint, transport);
  const single: Service<AttemptCall> = (call) =>
    unusual && other.speaks(call.target.model) ? unusual(call) : usual(call);
  const rehearse: Service<AttemptCall> = async (call) => {
    const { request, target } = call;
    const dialect = other?.speaks(target.model) ? other.dialect : parts.dialect;
    if (request.$typeName === "llmgateway.v1.ChatRequest") dialect.encode(request, wishOf(call));
    return embedded([]);
  };
  const batched = batches && batchProvider(parts.dialect, new BatchLane(batches, settings.clock));
  return {
    serve: batched ? (call) => (isBatch(call) ? batched(call) : single(call)) : single,
    rehearse,
    batches: batched !== undefined,
    availability: rememberAvailability(parts.check, settings.clock, settings.random),
    close: transport.close,
  };
}

/** For kinds that cannot do without a key. */
export function withoutKeys({ config, keys }: ProviderSettings): string {
  if (keys.length > 0) return "";
  return config.apiKeyEnv
    ? `its key is missing: set ${config.apiKeyEnv}`
    : "it has no api_key_env in the configuration";
}
