import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { CompleteConfig } from "../../src/config/defaults.ts";
import type { Environment } from "../../src/config/environment.ts";
import { ConfigError } from "../../src/config/error.ts";
import { configLoader, loadConfig } from "../../src/config/load.ts";

const folder = mkdtempSync(join(tmpdir(), "llmgateway-config-"));
const file = join(folder, "gateway.yaml");
afterAll(() => rmSync(folder, { recursive: true }));

function load(yaml: string, env: Environment = {}): CompleteConfig {
  writeFileSync(file, yaml);
  return loadConfig({ file, env });
}

function problems(yaml: string, env: Environment = {}): string[] {
  try {
    load(yaml, env);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const problem of error.problems) expect(error.message).toContain(problem.description);
    return error.problems.map(({ source, path, description }) => {
      return `${source === file ? "FILE" : source}: ${path}: ${description}`;
    });
  }
}

describe("defaults", () => {
  it("are all there without a file", () => {
    const config = loadConfig({ env: {} });
    expect(config.server).toMatchObject({
      host: "127.0.0.1",
      port: 8080,
      maxBodyBytes: 33_554_432,
      maxJsonDepth: 64,
      drainTimeout: { seconds: 30n, nanos: 0 },
      pingInterval: { seconds: 15n, nanos: 0 },
    });
    expect(config.server.tls).toBeUndefined();
    expect(config.auth.keys).toEqual([]);
    expect(config.rateLimit).toMatchObject({ rpm: 0, burst: 0 });
    expect(config.stream).toMatchObject({ bufferSize: 100, timeout: { seconds: 300n } });
    expect(config.telemetry).toMatchObject({
      logLevel: "info",
      otlpEndpoint: "",
      serviceName: "llm-gateway",
    });
    expect(config.prices.trackingEnabled).toBe(true);
    expect(existsSync(config.prices.catalogPath)).toBe(true);
    expect(config.defaultModel).toBe("");
    expect(config.defaultEmbeddingModel).toBe("");
  });

  it("hold the providers that are always there", () => {
    const { providers } = loadConfig({ env: {} });
    expect(Object.keys(providers)).toEqual([
      "openai",
      "claude",
      "gemini",
      "mistral",
      "vertex_ai",
      "bedrock",
      "mock",
    ]);
    expect(providers.gemini).toMatchObject({
      kind: "gemini",
      baseUrl: "https://generativelanguage.googleapis.com/v1beta",
      apiKeyEnv: "GEMINI_API_KEY",
      defaultModel: "gemini-2.5-flash",
      prices: "gemini",
    });
    expect(providers.vertex_ai).toMatchObject({
      kind: "vertex_ai",
      baseUrl: "",
      apiKeyEnv: "",
      defaultModel: "gemini-2.0-flash",
      region: "us-central1",
      project: "",
      credentialsPath: "",
    });
    expect(providers.claude).toMatchObject({
      kind: "claude",
      baseUrl: "https://api.anthropic.com",
      apiKeyEnv: "ANTHROPIC_API_KEY",
      defaultModel: "claude-sonnet-5",
      prices: "claude",
    });
    expect(providers.bedrock).toMatchObject({
      kind: "bedrock",
      baseUrl: "https://bedrock-runtime.{region}.amazonaws.com",
      apiKeyEnv: "AWS_BEARER_TOKEN_BEDROCK",
      defaultModel: "amazon.nova-lite-v1:0",
      region: "",
    });
    expect(providers.openai).toMatchObject({
      kind: "openai",
      enabled: true,
      baseUrl: "https://api.openai.com/v1",
      apiKeyEnv: "OPENAI_API_KEY",
      defaultModel: "gpt-4o-mini",
      defaultEmbeddingModel: "text-embedding-3-small",
      models: [],
      prices: "openai",
      timeouts: {
        connect: { seconds: 10n },
        firstEvent: { seconds: 60n },
        idle: { seconds: 60n },
        total: { seconds: 300n },
      },
      maxConnections: 256,
      dialect: { maxTokensField: "max_completion_tokens", streamUsage: true, keyHeader: "", query: "" },
    });
    expect(providers.mistral).toMatchObject({
      kind: "mistral",
      baseUrl: "https://api.mistral.ai/v1",
      apiKeyEnv: "MISTRAL_API_KEY",
      defaultModel: "mistral-small-latest",
    });
    expect(providers.mock).toMatchObject({
      kind: "mock",
      defaultModel: "mock-echo",
      defaultEmbeddingModel: "mock-embed",
      apiKeyEnv: "",
      baseUrl: "",
    });
  });

  it("of Vertex AI are not mixed into an entry of another kind", () => {
    const yaml =
      "providers: {vertex_ai: {kind: openai_compatible, base_url: 'http://a/v1', default_model: m}}";
    const config = load(yaml, { VERTEX_AI_PROJECT_ID: "p" });
    expect(config.providers.vertex_ai).toMatchObject({
      kind: "openai_compatible",
      baseUrl: "http://a/v1",
      defaultModel: "m",
      apiKeyEnv: "",
      region: "",
    });
  });

  it("are those of an empty file", () => {
    expect(load("")).toEqual(loadConfig({ env: {} }));
    expect(load("# nothing\n")).toEqual(loadConfig({ env: {} }));
    expect(load("server:\n")).toEqual(loadConfig({ env: {} }));
  });

  it("open the gateway to every address once there are keys, unless a host is said", () => {
    expect(load("", { LLMGATEWAY_API_KEYS: "a=b" }).server.host).toBe("0.0.0.0");
    expect(load("server: {host: localhost}", { LLMGATEWAY_API_KEYS: "a=b" }).server.host).toBe("localhost");
  });

  it("do not replace a zero or a false that was said", () => {
    const config = load(
      "server: {port: 0, drain_timeout: 0s}\nprices: {tracking_enabled: false}\nproviders: {mock: {enabled: false}}",
    );
    expect(config.server).toMatchObject({ port: 0, drainTimeout: { seconds: 0n } });
    expect(config.prices.trackingEnabled).toBe(false);
    expect(config.providers.mock?.enabled).toBe(false);
  });
});

describe("merging", () => {
  it("lets the environment win over the file, field by field", () => {
    const yaml =
      "server: {port: 1, host: a}\nproviders: {openai: {base_url: 'http://file', default_model: gpt-4.1}}";
    const config = load(yaml, { PORT: "2", OPENAI_BASE_URL: "http://env" });
    expect(config.server).toMatchObject({ port: 2, host: "a" });
    expect(config.providers.openai).toMatchObject({
      baseUrl: "http://env",
      defaultModel: "gpt-4.1",
      kind: "openai",
    });
  });

  it("lays a provider of the file over the default of its name", () => {
    const config = load(
      "providers:\n  openai:\n    models: [gpt-4o]\n    timeouts: {idle: 1.5s}\n    dialect: {streamUsage: false}",
    );
    expect(config.providers.openai).toMatchObject({
      apiKeyEnv: "OPENAI_API_KEY",
      models: ["gpt-4o"],
      timeouts: { idle: { seconds: 1n, nanos: 500_000_000 }, total: { seconds: 300n } },
      dialect: { streamUsage: false, maxTokensField: "max_completion_tokens" },
    });
  });

  it("gives another provider what its kind has", () => {
    const config = load(
      "providers:\n  local: {kind: openai_compatible, base_url: 'http://127.0.0.1:9/v1', prices: openai}\n  eu: {kind: openai}",
    );
    expect(config.providers.local).toMatchObject({
      apiKeyEnv: "",
      prices: "openai",
      dialect: { maxTokensField: "max_tokens" },
    });
    expect(config.providers.eu).toMatchObject({ apiKeyEnv: "OPENAI_API_KEY", prices: "eu" });
  });

  it("adds the keys of the environment to those of the file", () => {
    const digest = createHash("sha256").update("one").digest("hex");
    const config = load(`auth: {keys: [{name: a, sha256: ${digest}}]}`, { LLMGATEWAY_API_KEYS: "b=two" });
    expect(config.auth.keys.map((key) => key.name)).toEqual(["a", "b"]);
  });
});

describe("errors", () => {
  const digest = createHash("sha256").update("one").digest("hex");

  it.each<[string, string, Environment, string[]]>([
    [
      "a duplicate key",
      "server:\n  port: 1\n  port: 2",
      {},
      ["FILE: : line 3, column 3: Map keys must be unique"],
    ],
    [
      "bad syntax",
      "server:\n  port: 1\n b: 2",
      {},
      [expect.stringMatching(/^FILE: : line 3, column \d+: /) as unknown as string],
    ],
    ["an unknown tag", "default_model: !env MODEL", {}, ["FILE: : line 1, column 16: Unresolved tag"]],
    [
      "two documents",
      "server: {}\n---\nauth: {}",
      {},
      [expect.stringContaining("line 2") as unknown as string],
    ],
    ["a list at the top", "- 1", {}, ["FILE: : must be an object, got a list"]],
    ["an unknown field", "sever: {}", {}, ['FILE: sever: unknown field "sever"; did you mean "server"?']],
    [
      "a wrong type",
      "server: {port: http}",
      {},
      ["FILE: server.port: must be a whole number (int32), got a string"],
    ],
    [
      "a port out of range",
      "server: {port: 70000}",
      {},
      [expect.stringMatching(/^FILE: server\.port: .*65535/) as unknown as string],
    ],
    [
      "a budget of nothing",
      "budgets: [{name: a, limit_usd: 1.0e-13, per: day}]",
      {},
      ["FILE: budgets[0].limit_usd: is less than a trillionth of a dollar, and so nothing"],
    ],
    [
      "budgets in which no call can count",
      "budgets:\n" +
        "  - {name: a, limit_usd: 1, per: day, provider: opnai}\n" +
        "  - {name: b, limit_usd: 1, per: day, model: openai/gpt-4o}\n" +
        "  - {name: c, limit_usd: 1, per: day, provider: openai, model: openai/gpt-4o}\n",
      {},
      [
        expect.stringMatching(
          /^FILE: budgets\[0\]\.provider: names no configured provider; there are .*openai/,
        ) as unknown as string,
        ...[1, 2].map(
          (index) =>
            `FILE: budgets[${index}].model: is the provider's own name for the model; give provider: openai and model: gpt-4o`,
        ),
      ],
    ],
    [
      "a negative delay for all",
      "resilience: {hedging: {delay: '-1s'}}",
      {},
      [
        "FILE: resilience.hedging.delay: must not be negative; leave it out to wait as long as nearly all calls take",
      ],
    ],
    [
      "a negative delay for one",
      "providers: {openai: {resilience: {hedging: {delay: '-0.5s'}}}}",
      {},
      [
        "FILE: providers.openai.resilience.hedging.delay: must not be negative; leave it out to wait as long as nearly all calls take",
      ],
    ],
    [
      "a provider without kind",
      "providers: {acme: {}}",
      {},
      [
        "FILE: providers.acme.kind: is missing; give one of openai, claude, gemini, mistral, vertex_ai, bedrock, openai_compatible, mock",
      ],
    ],
    [
      "a compatible provider without address",
      "providers: {acme: {kind: openai_compatible}}",
      {},
      [
        "FILE: providers.acme.base_url: is missing; an openai_compatible provider needs the base URL of its API",
      ],
    ],
    [
      "a preset of another kind",
      "providers: {acme: {kind: openai, preset: groq}}",
      {},
      [
        "FILE: providers.acme.preset: is for the kind openai_compatible, and this is openai; leave one of them out",
      ],
    ],
    [
      "a preset that nobody knows",
      "providers: {acme: {preset: acme, base_url: 'http://a'}}",
      {},
      [expect.stringMatching(/^FILE: providers\.acme\.preset: .*groq/) as unknown as string],
    ],
    [
      "a preset without an address of its own",
      "providers: {acme: {preset: azure}}",
      {},
      [
        "FILE: providers.acme.base_url: is missing; an openai_compatible provider needs the base URL of its API",
      ],
    ],
    [
      "a base URL that is none",
      "providers: {acme: {kind: openai_compatible, base_url: 'http://a b'}}",
      {},
      ["FILE: providers.acme.base_url: must be a URL that begins with http:// or https://"],
    ],
    [
      "a provider's name",
      "providers: {Acme: {kind: mock}}",
      {},
      [expect.stringContaining("FILE: providers.Acme: its name ") as unknown as string],
    ],
    [
      "a header with a line break",
      'providers: {mock: {headers: {x-a: "1\\n2"}}}',
      {},
      [
        "FILE: providers.mock.headers.x-a: must be a header that HTTP allows, without spaces in its name or line breaks",
      ],
    ],
    [
      "a header for the key",
      "providers: {mock: {dialect: {key_header: 'api key'}}}",
      {},
      [expect.stringContaining("providers.mock.dialect.key_header") as unknown as string],
    ],
    [
      "an endpoint for traces",
      "telemetry: {otlp_endpoint: 'localhost:4318'}",
      {},
      ["FILE: telemetry.otlp_endpoint: must be a URL that begins with http:// or https://"],
    ],
    [
      "a default model of nobody",
      "default_model: acme/x",
      {},
      [
        'FILE: default_model: names no configured provider before "/"; there are openai, claude, gemini, mistral, vertex_ai, bedrock, mock',
      ],
    ],
    [
      "a default embedding model of nobody",
      "default_embedding_model: acme/x",
      {},
      [
        'FILE: default_embedding_model: names no configured provider before "/"; there are openai, claude, gemini, mistral, vertex_ai, bedrock, mock',
      ],
    ],
    [
      "one key for two callers",
      `auth: {keys: [{name: a, sha256: ${digest}}]}`,
      { LLMGATEWAY_API_KEYS: "b=one" },
      [
        'LLMGATEWAY_API_KEYS: auth.keys[1].sha256: is the same key as that of "a"; give every caller a key of its own',
      ],
    ],
    [
      "a key's hash",
      "auth: {keys: [{name: a, sha256: abc}]}",
      { LLMGATEWAY_API_KEYS: "b=one" },
      [expect.stringContaining("FILE: auth.keys[0].sha256: ") as unknown as string],
    ],
    [
      "another provider's key that cannot be sent",
      "providers: {acme: {kind: openai_compatible, base_url: 'http://a', api_key_env: ACME_KEY}}",
      { ACME_KEY: "s3cret\n" },
      ["ACME_KEY: : must be printable ASCII without spaces or line breaks"],
    ],
    [
      "networks that are none",
      "jobs: {webhooks: {allowed_networks: [10.0.0.0/8, 10.0.0.0/99, 10/8, '::/129']}}",
      {},
      ["10.0.0.0/99", "10/8", "::/129"].map(
        (network, index) =>
          `FILE: jobs.webhooks.allowed_networks[${index + 1}]: "${network}" is no network; give one in CIDR notation, such as 10.0.0.0/8 or fd00::/8`,
      ),
    ],
    [
      "amounts that cannot be counted exactly",
      "budgets: [{name: a, limit_usd: 9000000, per: day}, {name: b, limit_usd: 9000000.01, per: day}]\n" +
        "routing_policies: {p: {max_cost_per_request: 1e300}}",
      {},
      ["budgets[1].limit_usd", "routing_policies.p.max_cost_per_request"].map(
        (field) => `FILE: ${field}: must be at most 9000000, which can be counted exactly`,
      ),
    ],
    [
      "several at once",
      "server: {port: -1}\nrate_limit: {rpm: -1}",
      { LOG_LEVEL: "loud" },
      [
        expect.stringMatching(/^LOG_LEVEL: : must be one of/) as unknown as string,
        expect.stringContaining("FILE: server.port: ") as unknown as string,
        expect.stringContaining("FILE: rate_limit.rpm: ") as unknown as string,
      ],
    ],
    [
      "the environment beside a file that cannot be read",
      "server: [",
      { PORT: "x" },
      [
        expect.stringContaining("FILE: : line 1") as unknown as string,
        "PORT: : must be a whole number from 0 to 65535",
      ],
    ],
  ])("name %s", (_, yaml, env, expected) => {
    expect(problems(yaml, env)).toEqual(expected);
  });

  it("name a file that is not there", () => {
    const missing = join(folder, "missing.yaml");
    expect(() => loadConfig({ file: missing, env: {} })).toThrow(`${missing}: cannot be read (ENOENT)`);
  });

  it("are none where a model's own name begins like its provider's", () => {
    expect(
      problems(
        "providers:\n" +
          "  groq: {kind: openai_compatible, preset: groq}\n" +
          "  openrouter: {kind: openai_compatible, preset: openrouter}\n" +
          "budgets:\n" +
          "  - {name: a, limit_usd: 1, per: day, provider: groq, model: groq/compound}\n" +
          "  - {name: b, limit_usd: 1, per: day, provider: openrouter, model: openrouter/auto}\n" +
          "  - {name: c, limit_usd: 1, per: day, model: openrouter/auto}\n",
      ),
    ).toEqual([]);
  });

  it("refuse a bomb of aliases", () => {
    const lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"];
    for (let i = 1; i < 9; i++)
      lines.push(
        `a${i}: &a${i} [${Array(10)
          .fill(`*a${i - 1}`)
          .join(", ")}]`,
      );
    expect(problems(lines.join("\n"))).toEqual(["FILE: : cannot be read (too many aliases)"]);
  });

  it("quote nothing of a file whose syntax is wrong", () => {
    for (const yaml of [
      "a: |s3cret\n  b",
      'a: "x" s3cret',
      "a: 's3cret",
      "a: *s3cret",
      "%s3cret\n---\na: 1",
      "a: !s3cret b",
    ]) {
      const found = problems(yaml);
      expect(found.length).toBeGreaterThan(0);
      expect(found.join()).not.toContain("s3cret");
    }
  });
});

it("goes on with a file that holds nothing, but not where it held something before", () => {
  writeFileSync(file, "# All is in the environment.\n");
  const again = configLoader({ file, env: { PORT: "1" } });
  expect(again().server.port).toBe(1);
  expect(again().server.port).toBe(1);
  writeFileSync(file, "default_model: mock/mock-echo");
  expect(again().defaultModel).toBe("mock/mock-echo");
  writeFileSync(file, "# Nothing yet.\n");
  expect(again).toThrow("holds nothing; start the gateway anew if that is meant");
  expect(again).toThrow("holds nothing");
});

it("is frozen to its depth", () => {
  const config = load("providers: {openai: {models: [a], headers: {x: y}}}", { LLMGATEWAY_API_KEYS: "a=b" });
  const open: string[] = [];
  const visit = (value: unknown, path: string) => {
    if (typeof value !== "object" || value === null) return;
    if (!Object.isFrozen(value)) open.push(path);
    for (const [key, part] of Object.entries(value)) visit(part, `${path}.${key}`);
  };
  visit(config, "config");
  expect(open).toEqual([]);
  expect(() => config.auth.keys.pop()).toThrow(TypeError);
});
