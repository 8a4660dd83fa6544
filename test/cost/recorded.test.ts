/** What recorded replies of real providers cost, by the prices that their pages state, reckoned by hand. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { LineItem, Usage } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import { loadCatalog } from "../../src/cost/catalog.ts";
import { priced } from "../../src/cost/price.ts";
import { bedrockDialect } from "../../src/providers/bedrock/dialect.ts";
import { decodeTitan } from "../../src/providers/bedrock/embeddings.ts";
import { claudeDialect } from "../../src/providers/claude/dialect.ts";
import { ANTHROPIC, VERTEX } from "../../src/providers/claude/traits.ts";
import type { Dialect } from "../../src/providers/dialect.ts";
import { geminiDialect } from "../../src/providers/gemini/dialect.ts";
import { geminiEmbeddings } from "../../src/providers/gemini/embeddings.ts";
import { geminiResource } from "../../src/providers/gemini/resource.ts";
import { httpProvider } from "../../src/providers/http.ts";
import { mistralDialect } from "../../src/providers/mistral/dialect.ts";
import { openaiDialect } from "../../src/providers/openai/dialect.ts";
import { decodeEmbedding } from "../../src/providers/openai/embeddings.ts";
import { decodeEmbedding as decodeVertexEmbedding } from "../../src/providers/vertex_ai/embeddings.ts";
import { createTransport, type Transport } from "../../src/wire/transport.ts";
import { loadRecordings, type Recording, recordingsFolder } from "../recordings/recordings.ts";
import { replay } from "../recordings/replay.ts";
import { type RecordingServer, serveRecordings } from "../recordings/server.ts";
import { NO_CREDENTIALS } from "../support/provider.ts";

/**
 * The recording, whose prices, the model, tokens × dollars for a million of them in the order of the items, and the
 * sum in trillionths of a dollar: a token at a dollar for a million is a million of them.
 */
const ROWS: readonly (readonly [string, string, string, string, bigint])[] = [
  [
    "anthropic/message-cache-write-1h",
    "claude",
    "claude-sonnet-4-20250514",
    "3 × $3 + 14 × $3.75 + 2056 × $6 + 459 × $15",
    19_282_500_000n,
  ],
  [
    "anthropic/stream-pause-turn",
    "claude",
    "claude-sonnet-4-5",
    "404500 × $6 + 682 × $22.5 + 261 × $22.5",
    2_448_217_500_000n,
  ],
  [
    "anthropic/stream-thinking-then-tool",
    "claude",
    "claude-haiku-4-5-20251001",
    "598 × $1 + 39 × $5 + 53 × $5",
    1_058_000_000n,
  ],
  ["anthropic/stream-max-tokens", "claude", "claude-3-opus-20240229", "27 × $15 + 15 × $75", 1_530_000_000n],
  [
    "anthropic/stream-web-search",
    "claude",
    "claude-opus-4-1-20250805",
    "10423 × $15 + 341 × $75",
    181_920_000_000n,
  ],
  [
    "openai/chat-cached-input",
    "openai",
    "gpt-4o-mini",
    "125 × $0.15 + 1024 × $0.075 + 353 × $0.6",
    307_350_000n,
  ],
  ["openai/stream-cached-input", "openai", "gpt-4o", "140 × $2.5 + 1280 × $1.25 + 100 × $10", 2_950_000_000n],
  [
    "openai/chat-cache-write-tokens",
    "openai",
    "gpt-5.6-sol",
    "3 × $5 + 1217 × $6.25 + 100 × $30",
    10_621_250_000n,
  ],
  ["openai/chat-custom-tool-call", "openai", "gpt-5", "241 × $1.25 + 22 × $10 + 192 × $10", 2_441_250_000n],
  ["openai/stream-length-all-reasoning", "openai", "gpt-5-nano", "12 × $0.05 + 100 × $0.4", 40_600_000n],
  ["openai/chat-tool-history", "openai", "gpt-4.1-nano", "88 × $0.1 + 15 × $0.4", 14_800_000n],
  ["openai/chat-legacy-function-call", "openai", "gpt-4", "82 × $30 + 18 × $60", 3_540_000_000n],
  ["openai/chat-two-choices", "openai", "gpt-3.5-turbo", "11 × $0.5 + 29 × $1.5", 49_000_000n],
  ["openai/embeddings-dimensions", "openai", "text-embedding-3-small", "5 × $0.02", 100_000n],
  ["azure-openai/chat-text", "openai", "gpt-5-nano", "8 × $0.05 + 79 × $0.4 + 192 × $0.4", 108_800_000n],
  [
    "gemini/generate-cached-content",
    "gemini",
    "gemini-2.5-flash",
    "13 × $0.3 + 9609 × $0.03 + 35 × $2.5 + 136 × $2.5",
    719_670_000n,
  ],
  [
    "gemini/stream-thinking-text",
    "gemini",
    "gemini-2.5-pro",
    "34 × $1.25 + 469 × $10 + 787 × $10",
    12_602_500_000n,
  ],
  [
    "gemini/generate-thought-signature-tool-call",
    "gemini",
    "gemini-3.1-pro-preview",
    "120 × $2 + 32 × $12 + 132 × $12",
    2_208_000_000n,
  ],
  ["gemini/generate-tool-call", "gemini", "gemini-2.0-flash", "63 × $0.1 + 6 × $0.4", 8_700_000n],
  [
    "mistral/chat-cached-input",
    "mistral",
    "mistral-small-latest",
    "224 × $0.06 + 128 × $0.06 + 42 × $0.18",
    28_680_000n,
  ],
  ["mistral/stream-length", "mistral", "mistral-large-latest", "9 × $0.5 + 100 × $1.5", 154_500_000n],
  ["mistral/embeddings", "mistral", "mistral-embed", "10 × $0.1", 1_000_000n],
  [
    "vertex/generate-implicit-cache",
    "vertex_ai",
    "gemini-2.5-flash",
    "770 × $0.3 + 11243 × $0.03 + 15 × $2.5 + 73 × $2.5",
    788_290_000n,
  ],
  ["vertex/stream-text", "vertex_ai", "gemini-3-flash-preview", "5 × $0.5 + 1 × $3 + 100 × $3", 305_500_000n],
  ["vertex/embeddings", "vertex_ai", "text-embedding-004", "10 × $0.1", 1_000_000n],
  [
    "vertex-anthropic/raw-predict-tool-call",
    "vertex_ai",
    "claude-3-7-sonnet@20250219",
    "394 × $3 + 68 × $15",
    2_202_000_000n,
  ],
  [
    "bedrock/converse-cache-read",
    "bedrock",
    "us.anthropic.claude-3-7-sonnet-20250219-v1:0",
    "12 × $3 + 1028 × $0.3 + 185 × $15",
    3_119_400_000n,
  ],
  [
    "bedrock/converse-cache-write",
    "bedrock",
    "us.anthropic.claude-3-7-sonnet-20250219-v1:0",
    "11 × $3 + 1028 × $3.75 + 264 × $15",
    7_848_000_000n,
  ],
  [
    "bedrock/invoke-claude-cache-read",
    "bedrock",
    "anthropic.claude-3-5-haiku-20241022-v1:0",
    "4 × $0.8 + 18131 × $0.08 + 50 × $4",
    1_653_680_000n,
  ],
  [
    "bedrock/invoke-claude-cache-write",
    "bedrock",
    "anthropic.claude-3-5-haiku-20241022-v1:0",
    "4 × $0.8 + 18131 × $1 + 50 × $4",
    18_334_200_000n,
  ],
  [
    "bedrock/converse-stream-text",
    "bedrock",
    "us.amazon.nova-micro-v1:0",
    "13 × $0.035 + 82 × $0.14",
    11_935_000n,
  ],
  [
    "bedrock/invoke-llama3",
    "bedrock",
    "meta.llama3-70b-instruct-v1:0",
    "8 × $2.65 + 35 × $3.5",
    143_700_000n,
  ],
  [
    "bedrock/converse-tool-call",
    "bedrock",
    "anthropic.claude-3-sonnet-20240229-v1:0",
    "269 × $3 + 77 × $15",
    1_962_000_000n,
  ],
  [
    "bedrock/invoke-mistral",
    "bedrock",
    "mistral.mistral-7b-instruct-v0:2",
    "6 × $0.15 + 10 × $0.2",
    2_900_000n,
  ],
  ["bedrock/invoke-titan-embedding", "bedrock", "amazon.titan-embed-text-v1", "3 × $0.1", 300_000n],
];

const folder = recordingsFolder();
if (folder === undefined) {
  test("recorded replies cost what was reckoned", () => {
    console.log("no recordings were found, and so none is priced");
    expect(process.env.CI, "CI must price the recordings").not.toBe("true");
  });
} else {
  const ids = new Set(ROWS.map(([id]) => id));
  const folders = [...new Set([...ids].map((id) => id.split("/")[0] ?? ""))];
  const recordings = loadRecordings(folder, folders).filter(({ provider, name }) =>
    ids.has(`${provider}/${name}`),
  );
  describe("recorded replies cost what was reckoned", () => priceAll(recordings));
}

function priceAll(recordings: readonly Recording[]): void {
  const path = new URL("../../docs/price-catalog.json", import.meta.url);
  const catalog = loadCatalog(readFileSync(path, "utf8"), "it");
  let server: RecordingServer;
  let transport: Transport;

  beforeAll(async () => {
    server = await serveRecordings(recordings);
    const { origin } = server;
    transport = createTransport({ origin, maxConnections: 2, connectTimeoutMs: 5000, bufferedReads: 64 });
  });

  afterAll(async () => {
    await transport.close();
    await server[Symbol.asyncDispose]();
  });

  test.each(ROWS)("%s", async (id, provider, model, arithmetic, expected) => {
    expect(reckoned(arithmetic)).toBe(expected);
    const recording = recordings.find((one) => `${one.provider}/${one.name}` === id);
    const price = catalog.find(provider, model);
    if (!recording || !price) throw new Error(`no ${recording ? `price of ${model}` : "such recording"}`);
    const usage = await usageOf(recording, transport);
    const cost = usage && priced(price, usage);
    expect(cost?.items.map(written).join(" + ")).toBe(arithmetic);
    expect(cost?.total).toBe(expected);
    expect(cost?.isAssumed).toBe(id === FLEX);
  });
}

/** It was served in a tier for which the reference has no price, so that the standard price stands in. */
const FLEX = "vertex/stream-text";

/** Tokens × dollars for a million, without a float. */
function reckoned(arithmetic: string): bigint {
  const sums = arithmetic.split(" + ").map((term) => {
    const [, tokens = "", dollars = "", cents = ""] = /^(\d+) × \$(\d+)(?:\.(\d+))?$/.exec(term) ?? [];
    return BigInt(tokens) * BigInt(dollars + cents.padEnd(6, "0"));
  });
  return sums.reduce((sum, one) => sum + one, 0n);
}

function written({ count, unitPicoUsd }: LineItem): string {
  return `${count} × $${Number(unitPicoUsd) / 1_000_000}`;
}

async function usageOf(recording: Recording, transport: Transport): Promise<Usage | undefined> {
  const { meta, body } = recording;
  if (meta.expected.embeddings !== undefined) return usageOfEmbedding(recording, body.toString());
  const endpoint = {
    basePath: `/${recording.provider}/${recording.name}/0`,
    query: "",
    headers: {},
    credentials: NO_CREDENTIALS,
  };
  const { attempt } = await replay(
    httpProvider(dialectOf(recording), endpoint, transport),
    meta.request.stream,
  );
  return attempt.usage;
}

function usageOfEmbedding({ provider, meta }: Recording, body: string): Usage | undefined {
  if (provider === "bedrock") return decodeTitan(body, meta.headers).usage;
  return (provider === "vertex" ? decodeVertexEmbedding : decodeEmbedding)(body).usage;
}

function dialectOf({ provider }: Recording): Dialect {
  switch (provider) {
    case "anthropic":
      return claudeDialect(ANTHROPIC);
    case "vertex-anthropic":
      return claudeDialect(VERTEX);
    case "gemini":
    case "vertex":
      return geminiDialect(geminiResource, () => geminiEmbeddings);
    case "mistral":
      return mistralDialect;
    case "bedrock":
      return bedrockDialect();
    default:
      return openaiDialect({ maxTokensField: "max_completion_tokens", streamUsage: true });
  }
}
