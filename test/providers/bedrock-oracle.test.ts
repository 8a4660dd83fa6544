/** The official SDK is the judge: what it sends is what we send, and what it reads is what we read. */
import {
  type ContentBlock,
  ConverseCommand,
  type ConverseCommandInput,
  ConverseStreamCommand,
  type ConverseStreamOutput,
  InvokeModelCommand,
  InvokeModelWithResponseStreamCommand,
  type TokenUsage,
} from "@aws-sdk/client-bedrock-runtime";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ChatRequestSchema, type ChatResponse } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { fold } from "../../src/core/reply.ts";
import { bedrockDialect } from "../../src/providers/bedrock/dialect.ts";
import { decodeFinishReason } from "../../src/providers/bedrock/finish.ts";
import type { Wish } from "../../src/providers/dialect.ts";
import { EventStreamReader } from "../../src/wire/eventstream.ts";
import { loadRecordings, type Recording, recordingsFolder } from "../recordings/recordings.ts";
import { type RecordingServer, serveRecordings } from "../recordings/server.ts";
import { bedrockClient } from "../support/bedrock-client.ts";
import { replyOf } from "../support/call.ts";
import { violatedBy } from "../support/failure.ts";
import { answers, type ScriptedProvider, scriptedProvider } from "../support/provider.ts";
import { BEDROCK_GOLDEN, type Golden, MODEL, NOVA, NOVA_GOLDEN } from "./bedrock-golden.ts";
import { CANONICAL, type CanonicalName } from "./canonical.ts";

const dialect = bedrockDialect();
type Init = MessageInitShape<typeof ChatRequestSchema>;

function encode(request: Init, model: string, wish: Partial<Wish> = {}) {
  const whole = { model, stream: false, maxTokens: undefined, ...wish };
  return dialect.encode(create(ChatRequestSchema, request), whole);
}

describe("a request equals the SDK's", () => {
  let server: ScriptedProvider;
  beforeAll(async () => {
    server = await scriptedProvider(answers(200, {}));
  });
  afterAll(() => server[Symbol.asyncDispose]());

  async function compare(name: CanonicalName, golden: Golden, model: string): Promise<void> {
    const ours = () => encode(CANONICAL[name], model);
    if ("refused" in golden) {
      expect(violatedBy(ours)[0]).toBe(golden.refused);
      return;
    }
    const { params } = golden;
    // What the SDK does not know it does not send.
    const { custom_field: unknown, ...known } = params as ConverseCommandInput & { custom_field?: object };
    if ("body" in params) await bedrockClient(server.origin).send(new InvokeModelCommand(params));
    else await bedrockClient(server.origin).send(new ConverseCommand(known));
    const theirs = server.requests.at(-1);
    const { path, body, headers } = ours();
    const sent = JSON.parse(theirs?.body ?? "");
    expect(JSON.parse(body)).toEqual(unknown ? { ...sent, custom_field: unknown } : sent);
    expect(path).toBe(theirs?.url);
    expect(theirs?.headers["content-type"]).toBe("application/json");
    expect(headers ?? {}).toEqual({});
  }

  test.each(Object.keys(CANONICAL) as CanonicalName[])("%s", async (name) => {
    await compare(name, BEDROCK_GOLDEN[name], MODEL);
  });

  test.each(Object.keys(NOVA_GOLDEN) as CanonicalName[])("%s, to Nova", async (name) => {
    const golden = NOVA_GOLDEN[name];
    if (golden) await compare(name, golden, NOVA);
  });

  test("a stream, and an inference profile by its ARN", async () => {
    const modelId = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-lite-v1:0";
    const messages: ConverseCommandInput["messages"] = [{ role: "user", content: [{ text: "Hi" }] }];
    await bedrockClient(server.origin)
      .send(new ConverseStreamCommand({ modelId, messages, inferenceConfig: { maxTokens: 7 } }))
      .catch(() => {});
    const theirs = server.requests.at(-1);
    const hi = { messages: [{ role: "user", content: "Hi" }] };
    const { path, body } = encode(hi, modelId, { stream: true, maxTokens: 7 });
    expect(path).toBe(theirs?.url);
    expect(JSON.parse(body)).toEqual(JSON.parse(theirs?.body ?? ""));
  });

  test("a stream in a vendor's own format", async () => {
    const modelId = "anthropic.claude-v2:1";
    await bedrockClient(server.origin)
      .send(new InvokeModelWithResponseStreamCommand({ modelId, body: Buffer.from("{}") }))
      .catch(() => {});
    const hi = { messages: [{ role: "user", content: "Hi" }] };
    expect(encode(hi, modelId, { stream: true }).path).toBe(server.requests.at(-1)?.url);
  });
});

const folder = recordingsFolder();
const replies =
  folder === undefined
    ? []
    : loadRecordings(folder, ["bedrock"]).filter(
        ({ meta }) => meta.status === 200 && meta.operation.startsWith("converse"),
      );

if (replies.length > 0) describe("a recorded reply", readAll);

function readAll(): void {
  let server: RecordingServer;
  beforeAll(async () => {
    server = await serveRecordings(replies);
  });
  afterAll(() => server[Symbol.asyncDispose]());
  const cases = replies.map((reply) => [`${reply.provider}/${reply.name}`, reply] as const);

  async function asTheSdk(id: string, { meta }: Recording): Promise<Whole> {
    const client = bedrockClient(`${server.origin}/${id}/0`);
    const params = { modelId: "any", messages: [] };
    if (!meta.request.stream) {
      const { output, stopReason = "", usage } = await client.send(new ConverseCommand(params));
      return { blocks: output?.message?.content ?? [], stopReason, usage };
    }
    const { stream = [] } = await client.send(new ConverseStreamCommand(params));
    return gather(stream as AsyncIterable<ConverseStreamOutput>);
  }

  test.each(cases)("%s reads as the SDK reads it", async (id, recording) => {
    const theirs = await asTheSdk(id, recording);
    const { response, usage } = await read(recording);
    expect(saidBy(response)).toEqual(said(theirs.blocks));
    expect(response.finishReason).toBe(decodeFinishReason(theirs.stopReason));
    const { inputTokens = 0, outputTokens, cacheReadInputTokens, cacheWriteInputTokens } = theirs.usage ?? {};
    expect(usage).toMatchObject({
      inputTokens: inputTokens + (cacheReadInputTokens ?? 0) + (cacheWriteInputTokens ?? 0),
      outputTokens,
      cachedInputTokens: cacheReadInputTokens ?? 0,
      cacheWriteTokens: cacheWriteInputTokens ?? 0,
    });
  });

  test.each(cases)("%s can be sent back as it came", async (id, recording) => {
    const { message } = (await read(recording)).response;
    const theirs = await asTheSdk(id, recording);
    const again = encode(
      { messages: [{ role: "user", content: "Hi" }, ...(message ? [message] : [])] },
      NOVA,
    );
    const [, assistant] = JSON.parse(again.body).messages;
    expect(assistant.content).toEqual(onWire(theirs.blocks));
  });
}

async function read({ meta, body }: Recording) {
  if (!meta.request.stream) {
    const { events, usage } = dialect.decodeReply(body.toString(), {});
    return { response: await fold(replyOf([events])), usage };
  }
  const frames = new EventStreamReader();
  const decoder = dialect.decodeStream({});
  const events = [...frames.push(body), ...frames.end()].flatMap((data) => decoder.push(data));
  return { response: await fold(replyOf([[...events, ...decoder.end("")]])), usage: decoder.usage };
}

interface Whole {
  readonly blocks: ContentBlock[];
  readonly stopReason: string;
  readonly usage: TokenUsage | undefined;
}

interface Gathered {
  text: string;
  thought: string;
  signature: string;
  redacted: Uint8Array | undefined;
  start: { name?: string | undefined; toolUseId?: string | undefined; type?: string | undefined } | undefined;
  result: object[] | undefined;
  input: string;
}

/** The SDK gives events and no more. */
async function gather(stream: AsyncIterable<ConverseStreamOutput>): Promise<Whole> {
  const blocks: Gathered[] = [];
  let stopReason = "";
  let usage: TokenUsage | undefined;
  const at = (index = 0) => {
    blocks[index] ??= {
      text: "",
      thought: "",
      signature: "",
      redacted: undefined,
      start: undefined,
      result: undefined,
      input: "",
    };
    return blocks[index];
  };
  for await (const { contentBlockStart, contentBlockDelta, messageStop, metadata } of stream) {
    if (contentBlockStart) {
      const block = at(contentBlockStart.contentBlockIndex);
      block.start = contentBlockStart.start?.toolUse ?? contentBlockStart.start?.toolResult;
      if (contentBlockStart.start?.toolResult) block.result = [];
    }
    if (contentBlockDelta?.delta) {
      const { delta, contentBlockIndex } = contentBlockDelta;
      const block = at(contentBlockIndex);
      block.text += delta.text ?? "";
      block.thought += delta.reasoningContent?.text ?? "";
      block.signature += delta.reasoningContent?.signature ?? "";
      block.redacted = delta.reasoningContent?.redactedContent ?? block.redacted;
      block.input += delta.toolUse?.input ?? "";
      block.result?.push(...(delta.toolResult ?? []));
    }
    stopReason = messageStop?.stopReason ?? stopReason;
    usage = metadata?.usage ?? usage;
  }
  return { blocks: blocks.flatMap(blockOf), stopReason, usage };
}

function blockOf({ text, thought, signature, redacted, start, result, input }: Gathered): ContentBlock[] {
  if (result) return [{ toolResult: { ...start, content: result } } as ContentBlock];
  if (start) return [{ toolUse: { ...start, input: JSON.parse(input || "{}") } } as ContentBlock];
  if (redacted) return [{ reasoningContent: { redactedContent: redacted } }];
  if (thought) {
    const reasoningText = signature ? { text: thought, signature } : { text: thought };
    return [{ reasoningContent: { reasoningText } }];
  }
  return text ? [{ text }] : [];
}

/** In a form that both sides have. */
function said(blocks: readonly ContentBlock[]) {
  return {
    text: blocks.map(({ text = "" }) => text).join(""),
    thoughts: blocks.flatMap(({ reasoningContent }) =>
      reasoningContent?.reasoningText ? [reasoningContent.reasoningText.text] : [],
    ),
    calls: blocks.flatMap(({ toolUse }) =>
      toolUse && toolUse.type !== "server_tool_use" ? [[toolUse.toolUseId, toolUse.name, toolUse.input]] : [],
    ),
    parts: blocks.flatMap(({ toolUse, toolResult }) =>
      toolUse?.type === "server_tool_use" ? ["toolUse"] : toolResult ? ["toolResult"] : [],
    ),
  };
}

function saidBy({ response, message, toolCalls }: ChatResponse): ReturnType<typeof said> {
  const parts = message?.parts ?? [];
  return {
    text: response,
    thoughts: parts.flatMap(({ part }) =>
      part.case === "reasoning" && !part.value.redacted ? [part.value.text] : [],
    ),
    calls: toolCalls.map(({ id, name, arguments: args }) => [id, name, JSON.parse(args)]),
    parts: parts.flatMap(({ part }) => (part.case === "providerPart" ? [part.value.type] : [])),
  };
}

/** Bytes are base64 there; of a call that is the caller's Nova says so, which goes without saying. */
function onWire(blocks: readonly ContentBlock[]): unknown {
  const json = JSON.stringify(blocks, (key, value) =>
    key === "redactedContent" ? Buffer.from(Object.values(value) as number[]).toString("base64") : value,
  );
  return JSON.parse(json.replaceAll(',"type":"tool_use"', "").replaceAll('"type":"tool_use",', ""));
}
