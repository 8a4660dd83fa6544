/** The official SDK is the judge: what it sends is what we send, and what it reads is what we read. */
import { create } from "@bufbuild/protobuf";
import OpenAI from "openai";
import type { ChatCompletionChunk, ChatCompletionCreateParams } from "openai/resources/chat/completions";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ChatRequestSchema, type StreamResponse } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { WireBody } from "../../src/providers/dialect.ts";
import { openaiDialect } from "../../src/providers/openai/dialect.ts";
import { decodeFinishReason } from "../../src/providers/openai/finish.ts";
import { SseReader } from "../../src/wire/sse.ts";
import { loadRecordings, type Recording, recordingsFolder } from "../recordings/recordings.ts";
import { type RecordingServer, serveRecordings } from "../recordings/server.ts";
import { violatedBy } from "../support/failure.ts";
import { CANONICAL, type CanonicalName } from "./canonical.ts";
import { answering, type Loopback } from "./loopback.ts";
import { MODEL, OPENAI_GOLDEN } from "./openai-golden.ts";
import { REQUESTS, type RequestPair } from "./openai-requests.ts";

const TRAITS = { maxTokensField: "max_completion_tokens", streamUsage: true } as const;

function encode({ request, wish, traits }: Pick<RequestPair, "request" | "wish" | "traits">): WireBody {
  return openaiDialect({ ...TRAITS, ...traits }).encode(create(ChatRequestSchema, request), {
    model: MODEL,
    stream: false,
    maxTokens: undefined,
    ...wish,
  });
}

describe("a request equals the SDK's", () => {
  let server: Loopback;
  beforeAll(async () => {
    server = await answering("application/json", "{}");
  });
  afterAll(() => server[Symbol.asyncDispose]());

  async function compare(params: ChatCompletionCreateParams, { path, body }: WireBody): Promise<void> {
    await sdk(server.origin).chat.completions.create(params);
    expect(JSON.parse(body)).toEqual(JSON.parse(server.bodies.at(-1) ?? ""));
    expect(path).toBe("/chat/completions");
  }

  test.each(REQUESTS)("$name", async (pair) => {
    await compare(pair.params, encode(pair));
  });

  test.each(Object.keys(CANONICAL) as CanonicalName[])("canonical: %s", async (name) => {
    const golden = OPENAI_GOLDEN[name];
    if ("params" in golden) {
      await compare(golden.params, encode({ request: CANONICAL[name] }));
      return;
    }
    expect(violatedBy(() => encode({ request: CANONICAL[name] }))).toEqual([golden.refused]);
  });
});

const folder = recordingsFolder();
const streams =
  folder === undefined
    ? []
    : loadRecordings(folder, ["openai", "azure-openai"]).filter(
        ({ meta }) => meta.request.stream && meta.status === 200,
      );

if (streams.length > 0) describe("a recorded stream reads as the SDK reads it", readAll);

function readAll(): void {
  let server: RecordingServer;
  beforeAll(async () => {
    server = await serveRecordings(streams);
  });
  afterAll(() => server[Symbol.asyncDispose]());

  test.each(streams.map((stream) => [`${stream.provider}/${stream.name}`, stream] as const))(
    "%s",
    async (id, recording) => {
      const chunks = await sdk(`${server.origin}/${id}/0`).chat.completions.create({
        model: "any",
        messages: [],
        stream: true,
      });
      expect(ours(recording)).toEqual(await theirs(chunks));
    },
  );
}

function sdk(baseURL: string): OpenAI {
  return new OpenAI({ apiKey: "none", baseURL, maxRetries: 0 });
}

/** A whole stream, in a form that both sides have. */
interface Whole {
  readonly choices: Choice[];
  servedModel: string;
  tokens: { input: number; output: number } | undefined;
}

interface Choice {
  text: string;
  refusal: string;
  finishReason: string;
  readonly calls: { id: string; name: string; arguments: string }[];
}

function choiceAt(whole: Whole, index: number): Choice {
  whole.choices[index] ??= { text: "", refusal: "", finishReason: "", calls: [] };
  return whole.choices[index];
}

function callAt(choice: Choice, index: number): Choice["calls"][number] {
  choice.calls[index] ??= { id: "", name: "", arguments: "" };
  return choice.calls[index];
}

async function theirs(chunks: AsyncIterable<ChatCompletionChunk>): Promise<Whole> {
  const whole: Whole = { choices: [], servedModel: "", tokens: undefined };
  for await (const chunk of chunks) {
    whole.servedModel = chunk.model || whole.servedModel;
    if (chunk.usage)
      whole.tokens = { input: chunk.usage.prompt_tokens, output: chunk.usage.completion_tokens };
    for (const { index, delta, finish_reason } of chunk.choices) {
      const choice = choiceAt(whole, index);
      choice.text += delta.content ?? "";
      choice.refusal += delta.refusal ?? "";
      for (const piece of delta.tool_calls ?? []) {
        const call = callAt(choice, piece.index);
        call.id += piece.id ?? "";
        call.name += piece.function?.name ?? "";
        call.arguments += piece.function?.arguments ?? "";
      }
      if (finish_reason) choice.finishReason = decodeFinishReason(finish_reason, choice.calls.length > 0);
    }
  }
  return whole;
}

function ours({ body }: Recording): Whole {
  const whole: Whole = { choices: [], servedModel: "", tokens: undefined };
  const sse = new SseReader();
  const decoder = openaiDialect(TRAITS).decodeStream({});
  const datas = [...sse.push(body), ...sse.end()];
  for (const event of [...datas.flatMap((data) => decoder.push(data)), ...decoder.end("")]) add(event, whole);
  whole.servedModel = decoder.servedModel;
  if (decoder.usage) whole.tokens = { input: decoder.usage.inputTokens, output: decoder.usage.outputTokens };
  return whole;
}

function add({ index = 0, token, refusal, toolCall, finishReason }: StreamResponse, whole: Whole): void {
  const choice = choiceAt(whole, index);
  choice.text += token ?? "";
  choice.refusal += refusal ?? "";
  if (toolCall) {
    const call = callAt(choice, toolCall.index);
    call.id += toolCall.id ?? "";
    call.name += toolCall.name ?? "";
    call.arguments += toolCall.arguments ?? "";
  }
  if (finishReason !== undefined) choice.finishReason = finishReason;
}
