/**
 * The environment variables: their names, the text they accept, and the field of the configuration that
 * each sets. An empty variable counts as unset. No key is copied from here into the configuration.
 */
import { create, type JsonValue, mergeFromJson } from "@bufbuild/protobuf";
import { type Config, ConfigSchema, ProviderSchema } from "../../gen/ts/llmgateway/config/v1/config_pb.ts";
import type { Problem } from "./error.ts";
import { API_KEYS, BOOLEAN, type Form, HTTP_URL, oneOf, SECRET, seconds, text, wholeNumber } from "./form.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

export interface Variable {
  readonly name: string;
  /** Path of the field that it sets; empty when it is read elsewhere. */
  readonly field: string;
  readonly form: Form;
  /** What holds when it is unset; empty for nothing. */
  readonly standard: string;
  /** One line for people. */
  readonly doc: string;
}

export const ENVIRONMENT: readonly Variable[] = [
  {
    name: "LLMGATEWAY_CONFIG",
    field: "",
    form: text("the path of a file"),
    standard: "",
    doc: "Path of the YAML configuration file.",
  },
  {
    name: "PORT",
    field: "server.port",
    form: wholeNumber(0, 65_535),
    standard: "8080",
    doc: "TCP port to listen on; 0 lets the system choose.",
  },
  {
    name: "HOST",
    field: "server.host",
    form: text("an address or a host name", /^[\w.:-]+$/),
    standard: "",
    doc: "Address to bind; when unset loopback, or every address once API keys are configured.",
  },
  {
    name: "LLMGATEWAY_API_KEYS",
    field: "auth.keys",
    form: API_KEYS,
    standard: "",
    doc: "Callers' keys as name=key,name=key in clear; added to those in the file, kept as hashes alone.",
  },
  {
    name: "RATE_LIMIT_RPM",
    field: "rate_limit.rpm",
    form: wholeNumber(0, 1_000_000_000),
    standard: "0",
    doc: "Requests a minute for each key, and for each address without one; 0 is no limit.",
  },
  {
    name: "RATE_LIMIT_BURST",
    field: "rate_limit.burst",
    form: wholeNumber(0, 1_000_000_000),
    standard: "0",
    doc: "Requests that may come at once on top of the steady rate.",
  },
  {
    name: "OPENAI_API_KEY",
    field: "",
    form: SECRET,
    standard: "",
    doc: "Key for OpenAI's API; read where the provider is called, never kept in the configuration.",
  },
  {
    name: "OPENAI_BASE_URL",
    field: "providers.openai.base_url",
    form: HTTP_URL,
    standard: "https://api.openai.com/v1",
    doc: "Base URL of OpenAI's API.",
  },
  {
    name: "ANTHROPIC_API_KEY",
    field: "",
    form: SECRET,
    standard: "",
    doc: "Key for Anthropic's API; read where the provider is called, never kept in the configuration.",
  },
  {
    name: "ANTHROPIC_BASE_URL",
    field: "providers.claude.base_url",
    form: HTTP_URL,
    standard: "https://api.anthropic.com",
    doc: "Base URL of Anthropic's API, without /v1.",
  },
  {
    name: "MISTRAL_API_KEY",
    field: "",
    form: SECRET,
    standard: "",
    doc: "Key for Mistral's API; read where the provider is called, never kept in the configuration.",
  },
  {
    name: "MISTRAL_BASE_URL",
    field: "providers.mistral.base_url",
    form: HTTP_URL,
    standard: "https://api.mistral.ai/v1",
    doc: "Base URL of Mistral's API.",
  },
  {
    name: "AWS_REGION",
    field: "providers.bedrock.region",
    form: text("a region, such as us-east-1", /^[a-z0-9-]+$/),
    standard: "",
    doc: "The region of Amazon Bedrock; when unset Bedrock is off.",
  },
  {
    name: "AWS_ENDPOINT_URL_BEDROCK_RUNTIME",
    field: "providers.bedrock.base_url",
    form: HTTP_URL,
    standard: "https://bedrock-runtime.{region}.amazonaws.com",
    doc: "Base URL of Bedrock's API; {region} stands for the region.",
  },
  {
    name: "AWS_ACCESS_KEY_ID",
    field: "",
    form: SECRET,
    standard: "",
    doc: "AWS credentials for Bedrock; when unset, the profile, role or container's that AWS's own tools would find.",
  },
  {
    name: "AWS_SECRET_ACCESS_KEY",
    field: "",
    form: SECRET,
    standard: "",
    doc: "The secret beside AWS_ACCESS_KEY_ID; read where the provider is called, as all of these.",
  },
  {
    name: "AWS_SESSION_TOKEN",
    field: "",
    form: SECRET,
    standard: "",
    doc: "The session beside AWS_ACCESS_KEY_ID, for credentials that expire.",
  },
  {
    name: "AWS_BEARER_TOKEN_BEDROCK",
    field: "",
    form: SECRET,
    standard: "",
    doc: "An API key of Bedrock's own, which goes before all other AWS credentials.",
  },
  {
    name: "GEMINI_API_KEY",
    field: "",
    form: SECRET,
    standard: "",
    doc: "Key for the Gemini API; read where the provider is called, never kept in the configuration.",
  },
  {
    name: "GEMINI_BASE_URL",
    field: "providers.gemini.base_url",
    form: HTTP_URL,
    standard: "https://generativelanguage.googleapis.com/v1beta",
    doc: "Base URL of the Gemini API.",
  },
  {
    name: "VERTEX_AI_PROJECT_ID",
    field: "providers.vertex_ai.project",
    form: text("the id of a Google Cloud project", /^[a-z0-9:.-]+$/),
    standard: "",
    doc: "Google Cloud project whose Vertex AI is called; none when unset.",
  },
  {
    name: "VERTEX_AI_LOCATION",
    field: "providers.vertex_ai.region",
    form: text("a location such as us-central1 or global", /^[a-z0-9-]+$/),
    standard: "us-central1",
    doc: "Where Vertex AI serves.",
  },
  {
    name: "VERTEX_AI_CREDENTIALS_PATH",
    field: "providers.vertex_ai.credentials_path",
    form: text("the path of a file"),
    standard: "",
    doc: "Path of a Google service account's key file; when unset the credentials of the place where the gateway runs.",
  },
  {
    name: "LLMGATEWAY_DEFAULT_MODEL",
    field: "default_model",
    form: text("a model without spaces, such as openai/gpt-4o-mini", /^\S+$/),
    standard: "",
    doc: "The model for requests that name none, as provider/model.",
  },
  {
    name: "LLMGATEWAY_DEFAULT_EMBEDDING_MODEL",
    field: "default_embedding_model",
    form: text("a model without spaces, such as openai/text-embedding-3-small", /^\S+$/),
    standard: "",
    doc: "The model for requests for embeddings that name none, as provider/model.",
  },
  {
    name: "PRICE_CATALOG_PATH",
    field: "prices.catalog_path",
    form: text("the path of a file"),
    standard: "",
    doc: "Path of the price catalog; when unset the one that comes with the gateway.",
  },
  {
    name: "COST_TRACKING_ENABLED",
    field: "prices.tracking_enabled",
    form: BOOLEAN,
    standard: "true",
    doc: "Whether calls are priced, budgeted and booked.",
  },
  {
    name: "LLMGATEWAY_DATA_DIR",
    field: "ledger.data_dir",
    form: text("the path of a folder"),
    standard: "data",
    doc: "Folder of the SQLite database that keeps the ledger, when DATABASE_URL is unset.",
  },
  {
    name: "DATABASE_URL",
    field: "",
    form: text("a URL such as postgres://user:password@host:5432/llmgateway", /^postgres(ql)?:\/\/\S+$/),
    standard: "",
    doc: "PostgreSQL that keeps the ledger for all replicas; when unset SQLite in LLMGATEWAY_DATA_DIR.",
  },
  {
    name: "REDIS_URL",
    field: "",
    form: text("a URL such as redis://user:password@host:6379/0", /^(rediss?|unix):\/\/\S+$/),
    standard: "",
    doc: "Redis that holds what budgets have left for all replicas; when unset each process counts for itself.",
  },
  {
    name: "STREAM_BUFFER_SIZE",
    field: "stream.buffer_size",
    form: wholeNumber(1, 100_000),
    standard: "100",
    doc: "Reads from the provider that may wait for a slow caller before the provider is held back.",
  },
  {
    name: "STREAM_TIMEOUT_SECONDS",
    field: "stream.timeout",
    form: seconds(1, 86_400),
    standard: "300",
    doc: "Longest time that a stream may take.",
  },
  {
    name: "LOG_LEVEL",
    field: "telemetry.log_level",
    form: oneOf("trace", "debug", "info", "warn", "error", "fatal", "silent"),
    standard: "info",
    doc: "The least severe log events that are written.",
  },
  {
    name: "OTEL_EXPORTER_OTLP_ENDPOINT",
    field: "telemetry.otlp_endpoint",
    form: HTTP_URL,
    standard: "",
    doc: "OTLP/HTTP endpoint for traces, such as http://localhost:4318; no traces when unset.",
  },
  {
    name: "OTEL_SERVICE_NAME",
    field: "telemetry.service_name",
    form: text("a name"),
    standard: "llm-gateway",
    doc: "The service's name in traces.",
  },
];

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
