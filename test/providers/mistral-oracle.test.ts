/** The official SDK is the judge: what it sends is what we send, and what it reads is what we read. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { Mistral } from "@mistralai/mistralai";
import type { CompletionChunk, ContentChunk } from "@mistralai/mistralai/models/components";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ChatRequestSchema } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { EmbedRequestSchema } from "../../gen/ts/llmgateway/v1/embed_pb.ts";
import { fold } from "../../src/core/reply.ts";
import type { Wish } from "../../src/providers/dialect.ts";
import { mistralDialect } from "../../src/providers/mistral/dialect.ts";
import { encodeEmbedding } from "../../src/providers/mistral/embeddings.ts";
import { SseReader } from "../../src/wire/sse.ts";
import { loadRecordings, type Recording, recordingsFolder } from "../recordings/recordings.ts";
import { type RecordingServer, serveRecordings } from "../recordings/server.ts";
import { replyOf } from "../support/call.ts";
import { violatedBy } from "../support/failure.ts";
import { answers, type ScriptedProvider, scriptedProvider } from "../support/provider.ts";
import { CANONICAL, type CanonicalName } from "./canonical.ts";
import { MISTRAL_GOLDEN, MODEL } from "./mistral-golden.ts";

function encode(request: MessageInitShape<typeof ChatRequestSchema>, wish: Partial<Wish> = {}) {
  const canonical = create(ChatRequestSchema, request);
  return mistralDialect.encode(canonical, { model: MODEL, stream: false, maxTokens: undefined, ...wish });
}

function sdk(serverURL: string): Mistral {
  return new Mistral({ apiKey: "test", serverURL });
}

describe("a request equals the SDK's", () => {
  let server: ScriptedProvider;
  beforeAll(async () => {
    server = await scriptedProvider(answers(200, {}));
  });
  afterAll(() => server[Symbol.asyncDispose]());

  /** The reply is of no use to the SDK, which is only asked for what it sends. */
  async function sent(call: (client: Mistral) => Promise<unknown>): Promise<{ url: string; body: object }> {
    const before = server.requests.length;
    await call(sdk(server.origin)).catch(() => {});
    const request = server.requests.at(-1);
    expect(server.requests).toHaveLength(before + 1);
    return { url: request?.url ?? "", body: JSON.parse(request?.body ?? "") };
  }

  test.each(Object.keys(CANONICAL) as CanonicalName[])("%s", async (name) => {
    const golden = MISTRAL_GOLDEN[name];
    if ("refused" in golden) {
      expect(violatedBy(() => encode(CANONICAL[name]))).toEqual([golden.refused]);
      return;
    }
    const { beyondSdk, ...params } = golden.params;
    const { url, body } = await sent((client) => client.chat.complete(params));
    const ours = encode(CANONICAL[name]);
    expect(JSON.parse(ours.body)).toEqual({ ...body, ...beyondSdk });
    expect(`/v1${ours.path}`).toBe(url);
    expect(ours.headers).toBeUndefined();
  });

  test("a stream, with a limit that the gateway set", async () => {
    const { body } = await sent((client) =>
      client.chat.stream({ model: MODEL, messages: [{ role: "user", content: "Hi" }], maxTokens: 7 }),
    );
    const ours = encode({ messages: [{ role: "user", content: "Hi" }] }, { stream: true, maxTokens: 7 });
    expect(JSON.parse(ours.body)).toEqual(body);
  });

  test("an answer to go on with", async () => {
    const { body } = await sent((client) =>
      client.chat.complete({
        model: MODEL,
        messages: [
          { role: "user", content: "A haiku, please." },
          { role: "assistant", content: "The sea", prefix: true },
        ],
      }),
    );
    const messages = [
      { role: "user", content: "A haiku, please." },
      { role: "assistant", content: "The sea" },
    ];
    expect(JSON.parse(encode({ messages }).body)).toEqual(body);
  });

  test("what only Mistral knows, by hand", async () => {
    const { body } = await sent((client) =>
      client.chat.complete({
        model: MODEL,
        messages: [{ role: "user", content: "Hi" }],
        safePrompt: true,
        promptMode: "reasoning",
        prediction: { type: "content", content: "Hello" },
      }),
    );
    const extraBody = {
      safe_prompt: true,
      prompt_mode: "reasoning",
      prediction: { type: "content", content: "Hello" },
    };
    expect(JSON.parse(encode({ messages: [{ role: "user", content: "Hi" }], extraBody }).body)).toEqual(body);
  });

  test("embeddings", async () => {
    const { url, body } = await sent((client) =>
      client.embeddings.create({ model: "codestral-embed", inputs: ["a", "b"], outputDimension: 256 }),
    );
    const ours = encodeEmbedding(create(EmbedRequestSchema, { dimensions: 256 }), {
      model: "codestral-embed",
      texts: ["a", "b"],
      inputType: undefined,
    });
    expect(JSON.parse(ours.body)).toEqual(body);
    expect(`/v1${ours.path}`).toBe(url);
  });
});

const folder = recordingsFolder();
const recordings =
  folder === undefined
    ? []
    : loadRecordings(folder, ["mistral"]).filter(
        ({ meta }) => meta.status === 200 && meta.expected.embeddings === undefined,
      );

if (recordings.length > 0) describe("a recorded reply reads as the SDK reads it", readAll);

function readAll(): void {
  let server: RecordingServer;
  beforeAll(async () => {
    server = await serveRecordings(recordings);
  });
  afterAll(() => server[Symbol.asyncDispose]());

  test.each(recordings.map((recording) => [recording.name, recording] as const))(
    "%s",
    async (name, recording) => {
      const client = sdk(`${server.origin}/mistral/${name}/0`);
      const asked = { model: MODEL, messages: [{ role: "user" as const, content: "any" }] };
      const theirs = recording.meta.request.stream
        ? await streamed(await client.chat.stream(asked))
        : whole(await client.chat.complete(asked));
      expect(await ours(recording)).toEqual(theirs);
    },
  );
}

/** A whole reply, in a form that both sides have. */
interface Whole {
  readonly choices: Choice[];
  servedModel: string;
  tokens: { input: number; output: number; cached: unknown } | undefined;
}

interface Choice {
  text: string;
  thinking: string;
  finishReason: string;
  readonly calls: { id: string; name: string; arguments: string }[];
}

interface TheirMessage {
  readonly content?: string | readonly ContentChunk[] | null | undefined;
  readonly toolCalls?: CompletionChunk["choices"][number]["delta"]["toolCalls"];
}

async function streamed(events: AsyncIterable<{ readonly data: CompletionChunk }>): Promise<Whole> {
  const all: Whole = { choices: [], servedModel: "", tokens: undefined };
  for await (const { data } of events) {
    all.servedModel = data.model;
    if (data.usage) all.tokens = tokensOf(data.usage);
    for (const { index, delta, finishReason } of data.choices) add(all, index, delta, finishReason ?? "");
  }
  return all;
}

function whole(reply: Awaited<ReturnType<Mistral["chat"]["complete"]>>): Whole {
  const all: Whole = { choices: [], servedModel: reply.model, tokens: tokensOf(reply.usage) };
  for (const { index, message, finishReason } of reply.choices) add(all, index, message ?? {}, finishReason);
  return all;
}

function tokensOf(usage: NonNullable<CompletionChunk["usage"]>): Whole["tokens"] {
  const { promptTokens: input = 0, completionTokens: output = 0 } = usage;
  const { cached_tokens: cached = 0 } = (usage.prompt_tokens_details ?? {}) as { cached_tokens?: number };
  return { input, output, cached };
}

function add(all: Whole, index: number, { content, toolCalls }: TheirMessage, finishReason: string): void {
  all.choices[index] ??= { text: "", thinking: "", finishReason: "", calls: [] };
  const choice = all.choices[index];
  if (typeof content === "string") choice.text += content;
  else for (const chunk of content ?? []) addChunk(choice, chunk);
  for (const { id = "", function: called } of toolCalls ?? [])
    choice.calls.push({ id, name: called.name, arguments: String(called.arguments) });
  choice.finishReason = finishReason || choice.finishReason;
}

function addChunk(choice: Choice, chunk: ContentChunk): void {
  if (chunk.type === "text" && "text" in chunk) choice.text += chunk.text;
  if (chunk.type === "thinking" && "thinking" in chunk)
    for (const inner of chunk.thinking) if ("text" in inner) choice.thinking += inner.text;
}

async function ours({ body, meta }: Recording): Promise<Whole> {
  const decoded = meta.request.stream ? decodeStream(body) : mistralDialect.decodeReply(body.toString(), {});
  const { message, finishReason, choices } = await fold(replyOf([decoded.events]));
  const all = choices.length > 0 ? choices : [{ message, finishReason }];
  const { usage, servedModel } = decoded;
  return {
    choices: all.map((choice) => {
      const said: Choice = { text: choice.message?.content ?? "", thinking: "", finishReason: "", calls: [] };
      for (const { part } of choice.message?.parts ?? []) {
        if (part.case === "reasoning") said.thinking += part.value.text;
        if (part.case === "toolCall") {
          const { id, name, arguments: args } = part.value;
          said.calls.push({ id, name, arguments: args });
        }
      }
      return { ...said, finishReason: choice.finishReason };
    }),
    servedModel,
    tokens: usage && {
      input: usage.inputTokens,
      output: usage.outputTokens,
      cached: usage.cachedInputTokens,
    },
  };
}

function decodeStream(body: Uint8Array): ReturnType<typeof mistralDialect.decodeReply> {
  const sse = new SseReader();
  const decoder = mistralDialect.decodeStream({});
  const datas = [...sse.push(body), ...sse.end()];
  const events = [...datas.flatMap((data) => decoder.push(data)), ...decoder.end("")];
  return { events, usage: decoder.usage, servedModel: decoder.servedModel };
}
