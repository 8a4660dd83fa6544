/**
 * What holds when nothing is said: fills in every default that the comments of `config.proto` promise, and
 * the providers that are always there. It judges nothing.
 */
import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import {
  AnomaliesSchema,
  type ApiKey,
  AuthSchema,
  type Config,
  CorsSchema,
  DialectSchema,
  Http2Schema,
  JobsSchema,
  LedgerSchema,
  PricesSchema,
  type Provider,
  ProviderSchema,
  RateLimitSchema,
  ServerSchema,
  StreamSchema,
  TelemetrySchema,
  type Timeouts,
  TimeoutsSchema,
  type Webhooks,
  WebhooksSchema,
} from "../../gen/ts/llmgateway/config/v1/config_pb.ts";
import { INTERNAL } from "../core/anonymous.ts";
import { PRESETS } from "../providers/presets.ts";
import { LOW_COST } from "../routing/chooser.ts";
import { bundled } from "../version.ts";
import { completeCache } from "./cache.ts";
import { completeCapture } from "./capture.ts";
import type { Complete } from "./complete.ts";
import { completeExperiment } from "./experiments.ts";
import { completeModeration } from "./moderation.ts";
import { type CompleteResilience, completeLimit, completeResilience, NO_LIMIT } from "./resilience.ts";

/**
 * The generated message with every optional field set, so that nobody who reads it needs a default of
 * their own. Absent can only be what `complete.ts` names, such as `server.tls`; empty text still means what
 * `config.proto` says of it where
 * that is "none": the default models, `base_url` and `api_key_env` of some kinds, `key_header`, `query`,
 * `otlp_endpoint`.
 */
export type CompleteConfig = Complete<Config>;
export type CompleteProvider = Complete<Provider>;

/** A new configuration; the draft is left as it is. */
export function withDefaults(draft: Config): CompleteConfig {
  const server = draft.server ?? create(ServerSchema);
  const cors = server.cors ?? create(CorsSchema);
  const http2 = server.http2 ?? create(Http2Schema);
  const auth = draft.auth ?? create(AuthSchema);
  const prices = draft.prices ?? create(PricesSchema);
  const ledger = draft.ledger ?? create(LedgerSchema);
  const anomalies = ledger.anomalies ?? create(AnomaliesSchema);
  const jobs = draft.jobs ?? create(JobsSchema);
  const stream = draft.stream ?? create(StreamSchema);
  const telemetry = draft.telemetry ?? create(TelemetrySchema);
  const resilience = completeResilience(draft.resilience);
  return {
    ...draft,
    server: {
      ...server,
      host: server.host || (auth.keys.length > 0 ? "0.0.0.0" : "127.0.0.1"),
      port: server.port ?? 8080,
      maxBodyBytes: server.maxBodyBytes ?? 32 * 1024 * 1024,
      maxJsonDepth: server.maxJsonDepth ?? 64,
      drainTimeout: server.drainTimeout ?? durationFromMs(30_000),
      pingInterval: server.pingInterval ?? durationFromMs(15_000),
      cors: { ...cors, maxAge: cors.maxAge ?? durationFromMs(7_200_000) },
      compressMinBytes: server.compressMinBytes ?? 1024,
      http2: {
        ...http2,
        maxConcurrentStreams: http2.maxConcurrentStreams ?? 1000,
        pingInterval: http2.pingInterval ?? durationFromMs(30_000),
        pingTimeout: http2.pingTimeout ?? durationFromMs(20_000),
      },
      reflection: server.reflection ?? true,
      drainDelay: server.drainDelay ?? durationFromMs(0),
      console: server.console ?? true,
    },
    auth: { ...auth, keys: auth.keys.map(completeKey) },
    rateLimit: draft.rateLimit ?? create(RateLimitSchema),
    providers: providersOf(draft, resilience),
    prices: {
      ...prices,
      catalogPath: prices.catalogPath || bundled("docs", "price-catalog.json"),
      trackingEnabled: prices.trackingEnabled ?? true,
    },
    budgets: draft.budgets.map((budget) => ({
      ...budget,
      mode: budget.mode || "hard",
      warnAt: budget.warnAt.length > 0 ? budget.warnAt : [0.5, 0.8, 1],
    })),
    ledger: {
      ...ledger,
      dataDir: ledger.dataDir || "data",
      retention: ledger.retention ?? durationFromMs(90 * 86_400_000),
      maxWaitingRows: ledger.maxWaitingRows ?? 20_000,
      whenFull: ledger.whenFull || "wait",
      anomalies: {
        ...anomalies,
        enabled: anomalies.enabled ?? true,
        ratio: anomalies.ratio ?? 2,
        minUsd: anomalies.minUsd ?? 1,
      },
    },
    jobs: {
      ...jobs,
      maxConcurrent: jobs.maxConcurrent ?? 50,
      resultTtl: jobs.resultTtl ?? durationFromMs(3_600_000),
      maxStored: jobs.maxStored ?? 100_000,
      maxPending: jobs.maxPending ?? 20_000,
      maxJobBytes: jobs.maxJobBytes ?? 4 * 1024 * 1024,
      maxRuns: jobs.maxRuns ?? 8,
      startWithin: jobs.startWithin ?? durationFromMs(86_400_000),
      stuckAfter: jobs.stuckAfter ?? durationFromMs(300_000),
      webhooks: webhooksOf(jobs.webhooks ?? create(WebhooksSchema)),
    },
    stream: {
      ...stream,
      bufferSize: stream.bufferSize ?? 100,
      timeout: stream.timeout ?? durationFromMs(300_000),
    },
    aliases: mapValues(draft.aliases, (alias) => ({
      ...alias,
      targets: alias.targets.map((target) => ({ ...target, weight: target.weight ?? 1 })),
      sticky: alias.sticky ?? true,
    })),
    routingPolicies: mapValues(draft.routingPolicies, (policy, name) => ({
      ...policy,
      optimize: policy.optimize || (name === LOW_COST || policy.prefer.length === 0 ? "cost" : "preference"),
    })),
    taskTypes: { ...TASK_TYPES, ...draft.taskTypes },
    experiments: mapValues(draft.experiments, completeExperiment),
    resilience,
    cache: completeCache(draft.cache),
    moderation: completeModeration(draft.moderation),
    contentCapture: completeCapture(draft.contentCapture),
    telemetry: {
      ...telemetry,
      logLevel: telemetry.logLevel || "info",
      serviceName: telemetry.serviceName || "llm-gateway",
    },
  };
}

const TASK_TYPES: Readonly<Record<string, string>> = {
  text_generation: "openai",
  summarization: "claude",
  sentiment_analysis: "gemini",
  question_answering: "mistral",
};

function completeKey(key: ApiKey): CompleteConfig["auth"]["keys"][number] {
  const scopes = key.scopes.length > 0 ? key.scopes : ["call"];
  return { ...key, tenant: key.tenant || INTERNAL, scopes, captureContent: key.captureContent ?? true };
}

function mapValues<A, B>(
  record: Readonly<Record<string, A>>,
  change: (value: A, name: string) => B,
): Record<string, B> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, change(value, name)]));
}

function webhooksOf(given: Webhooks): CompleteConfig["jobs"]["webhooks"] {
  return {
    ...given,
    allowHttp: given.allowHttp ?? false,
    secretEnv: given.secretEnv || "LLMGATEWAY_WEBHOOK_SECRET",
    maxConcurrentPerHost: given.maxConcurrentPerHost ?? 10,
    timeout: given.timeout ?? durationFromMs(15_000),
    giveUpAfter: given.giveUpAfter ?? durationFromMs(86_400_000),
  };
}

/** The kinds that there are, and what is known of each before anything is configured. */
export const KINDS: Readonly<Record<string, Known>> = {
  openai: {
    baseUrl: "https://api.openai.com/v1",
    apiKeyEnv: "OPENAI_API_KEY",
    defaultModel: "gpt-4o-mini",
    defaultEmbeddingModel: "text-embedding-3-small",
  },
  claude: {
    baseUrl: "https://api.anthropic.com",
    apiKeyEnv: "ANTHROPIC_API_KEY",
    defaultModel: "claude-sonnet-5",
  },
  gemini: {
    baseUrl: "https://generativelanguage.googleapis.com/v1beta",
    apiKeyEnv: "GEMINI_API_KEY",
    defaultModel: "gemini-2.5-flash",
    defaultEmbeddingModel: "gemini-embedding-001",
  },
  mistral: {
    baseUrl: "https://api.mistral.ai/v1",
    apiKeyEnv: "MISTRAL_API_KEY",
    defaultModel: "mistral-small-latest",
    defaultEmbeddingModel: "mistral-embed",
  },
  // Its host follows from the region, and its credentials are no key.
  vertex_ai: {
    baseUrl: "",
    apiKeyEnv: "",
    defaultModel: "gemini-2.0-flash",
    defaultEmbeddingModel: "gemini-embedding-001",
    region: "us-central1",
  },
  bedrock: {
    baseUrl: "https://bedrock-runtime.{region}.amazonaws.com",
    apiKeyEnv: "AWS_BEARER_TOKEN_BEDROCK",
    defaultModel: "amazon.nova-lite-v1:0",
    defaultEmbeddingModel: "amazon.titan-embed-text-v2:0",
  },
  openai_compatible: { baseUrl: "", apiKeyEnv: "", defaultModel: "" },
  mock: { baseUrl: "", apiKeyEnv: "", defaultModel: "mock-echo", defaultEmbeddingModel: "mock-embed" },
};

type Known = Readonly<
  Pick<Provider, "baseUrl" | "apiKeyEnv" | "defaultModel"> &
    Partial<Pick<Provider, "defaultEmbeddingModel" | "region">>
>;

const ALWAYS_PRESENT = ["openai", "claude", "gemini", "mistral", "vertex_ai", "bedrock", "mock"];

function providersOf(draft: Config, resilience: CompleteResilience): CompleteConfig["providers"] {
  const names = new Set([...ALWAYS_PRESENT, ...Object.keys(draft.providers)]);
  return Object.fromEntries(
    [...names].map((name) => [
      name,
      complete(name, draft.providers[name] ?? create(ProviderSchema), resilience),
    ]),
  );
}

function complete(name: string, given: Provider, resilience: CompleteResilience): CompleteProvider {
  const kind = given.kind || kindOf(name, given);
  const preset = kind === "openai_compatible" ? PRESETS[given.preset] : undefined;
  const known: Known | undefined = preset ?? KINDS[kind];
  const timeouts = completeTimeouts(given.timeouts, TIMEOUTS);
  const dialect = given.dialect ?? create(DialectSchema);
  return {
    ...given,
    kind,
    enabled: given.enabled ?? true,
    baseUrl: given.baseUrl || (known?.baseUrl ?? ""),
    apiKeyEnv: given.apiKeyEnv || (known?.apiKeyEnv ?? ""),
    defaultModel: given.defaultModel || (known?.defaultModel ?? ""),
    defaultEmbeddingModel: given.defaultEmbeddingModel || (known?.defaultEmbeddingModel ?? ""),
    prices: given.prices || name,
    region: given.region || (KINDS[kind]?.region ?? ""),
    timeouts,
    resilience: completeResilience(given.resilience, resilience),
    modelSettings: mapValues(given.modelSettings, (settings) => ({
      ...settings,
      timeouts: completeTimeouts(settings.timeouts, timeouts),
      limit: completeLimit(settings.limit, NO_LIMIT),
      quality: settings.quality || "standard",
    })),
    maxConnections: given.maxConnections ?? 256,
    dialect: {
      ...dialect,
      maxTokensField:
        dialect.maxTokensField ||
        (preset?.maxTokensField ?? (kind === "openai" ? "max_completion_tokens" : "max_tokens")),
      streamUsage: dialect.streamUsage ?? preset?.streamUsage ?? true,
      keyHeader: dialect.keyHeader || (preset?.keyHeader ?? ""),
    },
  };
}

const TIMEOUTS: CompleteTimeouts = {
  ...create(TimeoutsSchema),
  connect: durationFromMs(10_000),
  firstEvent: durationFromMs(60_000),
  idle: durationFromMs(60_000),
  total: durationFromMs(300_000),
};

type CompleteTimeouts = Complete<Timeouts>;

function completeTimeouts(given: Timeouts | undefined, general: CompleteTimeouts): CompleteTimeouts {
  return {
    ...(given ?? create(TimeoutsSchema)),
    connect: given?.connect ?? general.connect,
    firstEvent: given?.firstEvent ?? general.firstEvent,
    idle: given?.idle ?? general.idle,
    total: given?.total ?? general.total,
  };
}

function kindOf(name: string, { preset }: Provider): string {
  if (preset) return "openai_compatible";
  return Object.hasOwn(KINDS, name) ? name : "";
}
