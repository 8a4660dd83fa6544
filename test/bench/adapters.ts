/**
 * The CPU of the providers' adapters by themselves: what is done for a call beside the transport, and for each chunk
 * of a stream. A process of its own, since each adapter runs beside all others in the gateway too; a message asks it
 * for one round.
 */
import { create } from "@bufbuild/protobuf";
import { ChatRequestSchema } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { systemClock } from "../../src/core/clock.ts";
import { bedrockDialect } from "../../src/providers/bedrock/dialect.ts";
import { signingCredentials } from "../../src/providers/bedrock/identity.ts";
import { claudeDialect } from "../../src/providers/claude/dialect.ts";
import { ANTHROPIC } from "../../src/providers/claude/traits.ts";
import type { Credentials } from "../../src/providers/credentials.ts";
import type { Dialect } from "../../src/providers/dialect.ts";
import { geminiDialect } from "../../src/providers/gemini/dialect.ts";
import { geminiEmbeddings } from "../../src/providers/gemini/embeddings.ts";
import { geminiResource } from "../../src/providers/gemini/resource.ts";
import { keyCredentials } from "../../src/providers/keys.ts";
import { mistralDialect } from "../../src/providers/mistral/dialect.ts";
import { openaiDialect } from "../../src/providers/openai/dialect.ts";
import { accessTokenCredentials } from "../../src/providers/vertex_ai/access_token.ts";
import { vertexResource } from "../../src/providers/vertex_ai/resource.ts";
import { frameReader } from "../../src/wire/frames.ts";
import { BEDROCK, CLAUDE, GEMINI, MISTRAL, OPENAI, type Replies } from "./replies.ts";

/** Microseconds, by the name of the provider. */
export type AdapterCosts = Readonly<Record<string, AdapterCost>>;

export interface AdapterCost {
  readonly encode: number;
  readonly decode: number;
  readonly classify: number;
  readonly credentials: number;
  readonly chunk: number;
}

const CALLS = 2_000;
const STREAMS = 10;

/** 0.5 kB, as in the other benchmarks. */
const request = create(ChatRequestSchema, {
  messages: [
    { role: "system", content: "You answer in few words. ".repeat(6) },
    { role: "user", content: "What does a gateway for language models do? ".repeat(6) },
  ],
  parameters: { maxTokens: 200 },
});

interface Adapter {
  readonly dialect: Dialect;
  readonly model: string;
  readonly credentials: Credentials;
  readonly replies: Replies;
}

function withKey(headersOf: (key: string) => Record<string, string>): Credentials {
  return keyCredentials(["bench-key"], headersOf, systemClock);
}

const region = "us-east-1";
const identity = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "secret", sessionToken: "t".repeat(600) };
const token = { token: "t".repeat(200), expiresAtMs: Number.POSITIVE_INFINITY };

const ADAPTERS: Readonly<Record<string, Adapter>> = {
  openai: {
    dialect: openaiDialect({ maxTokensField: "max_completion_tokens", streamUsage: true }),
    model: "gpt-4o",
    credentials: withKey((key) => ({ authorization: `Bearer ${key}` })),
    replies: OPENAI,
  },
  claude: {
    dialect: claudeDialect(ANTHROPIC),
    model: "claude-sonnet-5",
    credentials: withKey((key) => ({ "x-api-key": key })),
    replies: CLAUDE,
  },
  gemini: {
    dialect: geminiDialect(geminiResource, () => geminiEmbeddings),
    model: "gemini-2.5-flash",
    credentials: withKey((key) => ({ "x-goog-api-key": key })),
    replies: GEMINI,
  },
  mistral: {
    dialect: mistralDialect,
    model: "mistral-small-latest",
    credentials: withKey((key) => ({ authorization: `Bearer ${key}` })),
    replies: MISTRAL,
  },
  vertex_ai: {
    dialect: geminiDialect(vertexResource, () => geminiEmbeddings),
    model: "gemini-2.5-flash",
    credentials: accessTokenCredentials(async () => token, systemClock),
    replies: GEMINI,
  },
  bedrock: {
    dialect: bedrockDialect(),
    model: "us.amazon.nova-lite-v1:0",
    credentials: signingCredentials(
      async () => identity,
      { host: `bedrock-runtime.${region}.amazonaws.com`, region, service: "bedrock" },
      systemClock,
    ),
    replies: BEDROCK,
  },
};

// Tokens and identities are found once, and kept.
for (const { credentials } of Object.values(ADAPTERS)) await credentials.prove({ path: "/", body: "" });
// What is compiled late would be charged to whoever comes first.
for (let round = 0; round < 3; round++) measureAll();
process.on("disconnect", () => process.exit());
process.on("message", () => process.send?.(measureAll()));
process.send?.({});

function measureAll(): AdapterCosts {
  return Object.fromEntries(Object.entries(ADAPTERS).map(([name, adapter]) => [name, measure(adapter)]));
}

function measure({ dialect, model, credentials, replies }: Adapter): AdapterCost {
  const { reply, error, stream } = replies;
  const wish = { model, stream: false, maxTokens: undefined, modelMaxTokens: 8192 };
  const wire = dialect.encode(request, wish);
  const headers = { "retry-after": "20", "x-request-id": "bench" };
  return {
    encode: cpuMicrosOf(CALLS, () => dialect.encode(request, wish)),
    decode: cpuMicrosOf(CALLS, () => dialect.decodeReply(reply, {})),
    classify: cpuMicrosOf(CALLS, () => dialect.classify(429, headers, error)),
    credentials: cpuMicrosOf(CALLS, () => credentials.prove(wire)),
    chunk: cpuMicrosOf(STREAMS, () => readStream(dialect, replies)) / stream.length,
  };
}

function readStream(dialect: Dialect, { contentType, stream }: Replies): void {
  const frames = frameReader(contentType);
  if (!frames) throw new Error(`${contentType} is no stream`);
  const decoder = dialect.decodeStream({});
  let events = 0;
  for (const bytes of stream) for (const data of frames.push(bytes)) events += decoder.push(data).length;
  events += decoder.end(frames.strayText).length;
  if (events < stream.length / 2) throw new Error("the stream was not understood");
}

/** For one. */
function cpuMicrosOf(times: number, act: () => unknown): number {
  const before = process.cpuUsage();
  for (let i = 0; i < times; i++) act();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / times;
}
