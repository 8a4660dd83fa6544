import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { CompleteConfig } from "../../src/config/defaults.ts";
import { ConfigError } from "../../src/config/error.ts";
import { loadConfig } from "../../src/config/load.ts";
import { ENVIRONMENT } from "../../src/config/variables.ts";

interface Row {
  readonly name: string;
  readonly good: string;
  readonly value: unknown;
  readonly read: (config: CompleteConfig) => unknown;
  readonly bad: readonly string[];
}

const sha256 = (key: string) => createHash("sha256").update(key).digest("hex");

/** Read where they are used: the caller opens the file, the provider sends the key. */
const READ_ELSEWHERE = () => undefined;

const ROWS: readonly Row[] = [
  { name: "LLMGATEWAY_CONFIG", good: "a.yaml", value: undefined, read: READ_ELSEWHERE, bad: [" "] },
  {
    name: "PORT",
    good: "9090",
    value: 9090,
    read: (c) => c.server.port,
    bad: ["65536", "-1", "0x50", " 80", "8e3", "80.0"],
  },
  { name: "HOST", good: "::1", value: "::1", read: (c) => c.server.host, bad: ["a b", "http://x"] },
  {
    name: "LLMGATEWAY_API_KEYS",
    good: "team-a=k=1, team-b=k2",
    value: [
      ["team-a", sha256("k=1")],
      ["team-b", sha256("k2")],
    ],
    read: (c) => c.auth.keys.map((key) => [key.name, key.sha256]),
    bad: ["justakey", "a=", "=b", "a=b,", "a b=c"],
  },
  {
    name: "RATE_LIMIT_RPM",
    good: "120",
    value: 120,
    read: (c) => c.rateLimit.rpm,
    bad: ["many", "1.5", "+5"],
  },
  {
    name: "RATE_LIMIT_BURST",
    good: "7",
    value: 7,
    read: (c) => c.rateLimit.burst,
    bad: ["-7", "99999999999999999999"],
  },
  { name: "OPENAI_API_KEY", good: "sk-1", value: undefined, read: READ_ELSEWHERE, bad: ["sk-1\n", "sk 1"] },
  {
    name: "OPENAI_BASE_URL",
    good: "http://127.0.0.1:1/v1",
    value: "http://127.0.0.1:1/v1",
    read: (c) => c.providers.openai?.baseUrl,
    bad: ["api.openai.com", "ftp://x", "http://"],
  },
  { name: "ANTHROPIC_API_KEY", good: "sk-ant-1", value: undefined, read: READ_ELSEWHERE, bad: ["sk 1"] },
  {
    name: "ANTHROPIC_BASE_URL",
    good: "http://127.0.0.1:1",
    value: "http://127.0.0.1:1",
    read: (c) => c.providers.claude?.baseUrl,
    bad: ["api.anthropic.com", "ftp://x"],
  },
  { name: "MISTRAL_API_KEY", good: "key-1", value: undefined, read: READ_ELSEWHERE, bad: ["key 1"] },
  {
    name: "MISTRAL_BASE_URL",
    good: "http://127.0.0.1:1/v1",
    value: "http://127.0.0.1:1/v1",
    read: (c) => c.providers.mistral?.baseUrl,
    bad: ["api.mistral.ai"],
  },
  {
    name: "LLMGATEWAY_DEFAULT_EMBEDDING_MODEL",
    good: "mock/mock-embed",
    value: "mock/mock-embed",
    read: (c) => c.defaultEmbeddingModel,
    bad: ["two words", "nobody/text-embedding-3-small"],
  },
  {
    name: "AWS_REGION",
    good: "us-east-1",
    value: "us-east-1",
    read: (c) => c.providers.bedrock?.region,
    bad: ["US East", "us_east_1"],
  },
  {
    name: "AWS_ENDPOINT_URL_BEDROCK_RUNTIME",
    good: "https://vpce-1.bedrock-runtime.{region}.vpce.amazonaws.com",
    value: "https://vpce-1.bedrock-runtime.{region}.vpce.amazonaws.com",
    read: (c) => c.providers.bedrock?.baseUrl,
    bad: ["bedrock.amazonaws.com", "ftp://x"],
  },
  ...["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_BEARER_TOKEN_BEDROCK"].map(
    (name): Row => ({ name, good: "abc/+=", value: undefined, read: READ_ELSEWHERE, bad: ["a b", "a\n"] }),
  ),
  { name: "GEMINI_API_KEY", good: "AIza1", value: undefined, read: READ_ELSEWHERE, bad: ["AIza 1"] },
  {
    name: "GEMINI_BASE_URL",
    good: "http://127.0.0.1:1/v1beta",
    value: "http://127.0.0.1:1/v1beta",
    read: (c) => c.providers.gemini?.baseUrl,
    bad: ["generativelanguage.googleapis.com"],
  },
  {
    name: "VERTEX_AI_PROJECT_ID",
    good: "my-project-1",
    value: "my-project-1",
    read: (c) => c.providers.vertex_ai?.project,
    bad: ["My Project", "a/b"],
  },
  {
    name: "VERTEX_AI_LOCATION",
    good: "europe-west4",
    value: "europe-west4",
    read: (c) => c.providers.vertex_ai?.region,
    bad: ["Belgium!", "a.example.com"],
  },
  {
    name: "VERTEX_AI_CREDENTIALS_PATH",
    good: "/etc/google/key.json",
    value: "/etc/google/key.json",
    read: (c) => c.providers.vertex_ai?.credentialsPath,
    bad: [" "],
  },
  {
    name: "LLMGATEWAY_DEFAULT_MODEL",
    good: "mock/mock-echo",
    value: "mock/mock-echo",
    read: (c) => c.defaultModel,
    bad: ["two words", "nobody/gpt-4o"],
  },
  {
    name: "PRICE_CATALOG_PATH",
    good: "./p.json",
    value: "./p.json",
    read: (c) => c.prices.catalogPath,
    bad: [" "],
  },
  {
    name: "COST_TRACKING_ENABLED",
    good: "0",
    value: false,
    read: (c) => c.prices.trackingEnabled,
    bad: ["yes", "TRUE", "2", "constructor"],
  },
  {
    name: "LLMGATEWAY_DATA_DIR",
    good: "/var/lib/llmgateway",
    value: "/var/lib/llmgateway",
    read: (c) => c.ledger.dataDir,
    bad: [" "],
  },
  {
    name: "DATABASE_URL",
    good: "postgres://u:p@db/gw",
    value: undefined,
    read: READ_ELSEWHERE,
    bad: ["mysql://db"],
  },
  {
    name: "REDIS_URL",
    good: "rediss://u:p@cache:6379/1",
    value: undefined,
    read: READ_ELSEWHERE,
    bad: ["cache:6379"],
  },
  {
    name: "STREAM_BUFFER_SIZE",
    good: "5",
    value: 5,
    read: (c) => c.stream.bufferSize,
    bad: ["0", "100001", "5 "],
  },
  {
    name: "STREAM_TIMEOUT_SECONDS",
    good: "90",
    value: 90n,
    read: (c) => c.stream.timeout.seconds,
    bad: ["0", "90s", "86401"],
  },
  {
    name: "LOG_LEVEL",
    good: "debug",
    value: "debug",
    read: (c) => c.telemetry.logLevel,
    bad: ["verbose", "INFO"],
  },
  {
    name: "JOB_STORE_TTL_SECONDS",
    good: "60",
    value: 60n,
    read: (c) => c.jobs.resultTtl.seconds,
    bad: ["0", "an hour"],
  },
  {
    name: "JOB_MAX_CONCURRENT",
    good: "7",
    value: 7,
    read: (c) => c.jobs.maxConcurrent,
    bad: ["0", "10001", "many"],
  },
  {
    name: "LLMGATEWAY_WEBHOOK_SECRET",
    good: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=",
    value: undefined,
    read: READ_ELSEWHERE,
    bad: ["whsec_ in pieces"],
  },
  {
    name: "OTEL_EXPORTER_OTLP_ENDPOINT",
    good: "http://localhost:4318",
    value: "http://localhost:4318",
    read: (c) => c.telemetry.otlpEndpoint,
    bad: ["localhost:4318"],
  },
  { name: "OTEL_SERVICE_NAME", good: "gw", value: "gw", read: (c) => c.telemetry.serviceName, bad: [" "] },
];

describe.each(ROWS)("$name", ({ name, good, value, read, bad }) => {
  it("sets its field", () => {
    const unset = read(loadConfig({ env: {} }));
    const config = loadConfig({ env: { [name]: good } });
    expect(read(config)).toEqual(value);
    if (value !== undefined) expect(unset).not.toEqual(value);
  });

  it.each(bad)("is named when it is malformed: %j", (text) => {
    const problems = problemsOf(() => loadConfig({ env: { [name]: text } }));
    expect(problems.map((problem) => problem.source)).toEqual([name]);
    expect(problems[0]?.description).toMatch(/^(must be |names no )/);
  });

  it("counts as unset when it is empty", () => {
    expect(loadConfig({ env: { [name]: "" } })).toEqual(loadConfig({ env: {} }));
  });
});

it("has a row for every variable", () => {
  expect(ROWS.map((row) => row.name).sort()).toEqual(ENVIRONMENT.map((variable) => variable.name).sort());
});

it("reads booleans in four spellings", () => {
  const read = (text: string) => loadConfig({ env: { COST_TRACKING_ENABLED: text } }).prices.trackingEnabled;
  expect(["true", "1", "false", "0"].map(read)).toEqual([true, true, false, false]);
});

it("never shows what it was given", () => {
  for (const { name } of ENVIRONMENT) {
    const message = String(problemsOf(() => loadConfig({ env: { [name]: " s3cret \n" } }), true));
    expect(message).not.toContain("s3cret");
  }
});

it("keeps no key in clear", () => {
  const config = loadConfig({ env: { LLMGATEWAY_API_KEYS: "a=s3cret", OPENAI_API_KEY: "sk-s3cret" } });
  expect(
    JSON.stringify(config, (_, value) => (typeof value === "bigint" ? String(value) : value)),
  ).not.toContain("s3cret");
});

it("documents the defaults that hold", () => {
  const defaults = loadConfig({ env: {} });
  const shown = ENVIRONMENT.filter(({ standard, field }) => standard !== "" && field !== "");
  const explicit = loadConfig({
    env: Object.fromEntries(shown.map(({ name, standard }) => [name, standard])),
  });
  expect(shown.length).toBeGreaterThan(5);
  expect(explicit).toEqual(defaults);
});

function problemsOf(load: () => unknown, whole = false) {
  try {
    load();
  } catch (error) {
    if (error instanceof ConfigError)
      return whole ? [{ source: "", description: error.message }] : error.problems;
    throw error;
  }
  return [];
}
