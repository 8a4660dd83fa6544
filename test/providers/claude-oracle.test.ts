/** The official SDK is the judge: what it sends is what we send, and what it reads is what we read. */
import Anthropic from "@anthropic-ai/sdk";
import type { ContentBlock, Message } from "@anthropic-ai/sdk/resources/messages";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ChatRequestSchema } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { fold } from "../../src/core/reply.ts";
import { claudeDialect } from "../../src/providers/claude/dialect.ts";
import { decodeFinishReason } from "../../src/providers/claude/finish.ts";
import { ANTHROPIC } from "../../src/providers/claude/traits.ts";
import type { Wish } from "../../src/providers/dialect.ts";
import { SseReader } from "../../src/wire/sse.ts";
import { loadRecordings, type Recording, recordingsFolder } from "../recordings/recordings.ts";
import { type RecordingServer, serveRecordings } from "../recordings/server.ts";
import { replyOf } from "../support/call.ts";
import { violatedBy } from "../support/failure.ts";
import { answers, type ScriptedProvider, scriptedProvider } from "../support/provider.ts";
import { CANONICAL, type CanonicalName } from "./canonical.ts";
import { CLAUDE_GOLDEN, type Golden, MODEL, OLDER_GOLDEN, OLDER_MODEL } from "./claude-golden.ts";

const dialect = claudeDialect(ANTHROPIC);
const names = Object.keys(CANONICAL) as CanonicalName[];

function encode(
  request: MessageInitShape<typeof ChatRequestSchema>,
  model: string,
  wish: Partial<Wish> = {},
) {
  return dialect.encode(create(ChatRequestSchema, request), {
    model,
    stream: false,
    maxTokens: undefined,
    ...wish,
  });
}

function sdk(baseURL: string): Anthropic {
  return new Anthropic({ apiKey: "sk-ant-test", baseURL, maxRetries: 0 });
}

describe("a request equals the SDK's", () => {
  let server: ScriptedProvider;
  beforeAll(async () => {
    server = await scriptedProvider(answers(200, { type: "message", content: [] }));
  });
  afterAll(() => server[Symbol.asyncDispose]());

  async function compare(name: CanonicalName, golden: Golden, model: string): Promise<void> {
    const ours = () => encode(CANONICAL[name], model);
    if ("refused" in golden) {
      expect(violatedBy(ours)[0]).toBe(golden.refused);
      return;
    }
    await sdk(server.origin).messages.create({ ...golden.params, stream: false });
    const theirs = server.requests.at(-1);
    const { path, body, headers } = ours();
    const { stream, ...sent } = JSON.parse(theirs?.body ?? "");
    expect(stream).toBe(false);
    expect(JSON.parse(body)).toEqual(sent);
    expect(path).toBe(theirs?.url);
    // The SDK has moved on to a version that takes no sampling parameters; the rest is the same.
    expect(theirs?.headers["anthropic-version"]).toBe("2026-10-21");
    expect(headers).toEqual({ "anthropic-version": "2023-06-01" });
  }

  test.each(names)("%s", async (name) => {
    await compare(name, CLAUDE_GOLDEN[name], MODEL);
  });

  test.each(Object.keys(OLDER_GOLDEN) as CanonicalName[])("%s, to an older model", async (name) => {
    const golden = OLDER_GOLDEN[name];
    if (golden) await compare(name, golden, OLDER_MODEL);
  });

  test("a stream", async () => {
    await sdk(server.origin)
      .messages.create({
        model: MODEL,
        max_tokens: 7,
        messages: [{ role: "user", content: "Hi" }],
        stream: true,
      })
      .catch(() => {});
    const { body } = encode({ messages: [{ role: "user", content: "Hi" }] }, MODEL, {
      stream: true,
      maxTokens: 7,
    });
    expect(JSON.parse(body)).toEqual(JSON.parse(server.requests.at(-1)?.body ?? ""));
  });
});

const folder = recordingsFolder();
const replies =
  folder === undefined
    ? []
    : loadRecordings(folder, ["anthropic", "vertex-anthropic"]).filter(({ meta }) => meta.status === 200);

if (replies.length > 0) describe("a recorded reply", readAll);

function readAll(): void {
  let server: RecordingServer;
  beforeAll(async () => {
    server = await serveRecordings(replies);
  });
  afterAll(() => server[Symbol.asyncDispose]());
  const cases = replies.map((reply) => [`${reply.provider}/${reply.name}`, reply] as const);

  const asTheSdk = (id: string, { meta }: Recording): Promise<Message> => {
    const client = sdk(`${server.origin}/${id}/0`);
    const params = { model: "any", max_tokens: 1, messages: [] };
    return meta.request.stream
      ? client.messages.stream(params).finalMessage()
      : client.messages.create(params);
  };

  // The SDK itself cannot read arguments that were cut off.
  test.each(cases.filter(([id]) => id !== "anthropic/stream-cut-tool-json"))(
    "%s reads as the SDK reads it",
    async (id, recording) => {
      const theirs = await asTheSdk(id, recording);
      const { usage, ...ours } = await read(recording);
      expect(ours).toEqual(wholeOf(theirs));
      expect(usage?.outputTokens).toBe(theirs.usage.output_tokens);
      const { input_tokens, cache_read_input_tokens, cache_creation_input_tokens } = theirs.usage;
      expect(usage?.inputTokens).toBe(
        input_tokens + (cache_read_input_tokens ?? 0) + (cache_creation_input_tokens ?? 0),
      );
    },
  );

  test.each(cases)("%s can be sent back as it came", async (id, recording) => {
    // Of arguments that are cut off nobody makes a call.
    if (id === "anthropic/stream-cut-tool-json") return;
    const { message } = await foldOf(recording);
    const again = message
      ? encode({ messages: [{ role: "user", content: "Hi" }, message] }, MODEL)
      : undefined;
    const [, assistant] = JSON.parse(again?.body ?? "").messages;
    const theirs = await asTheSdk(id, recording);
    expect(blocksOf(assistant?.content ?? [])).toEqual(blocksOf(theirs.content.map(sendable)));
  });
}

async function foldOf({ meta, body }: Recording) {
  if (!meta.request.stream) return fold(replyOf([dialect.decodeReply(body.toString(), {}).events]));
  const sse = new SseReader();
  const decoder = dialect.decodeStream({});
  const events = [...sse.push(body), ...sse.end()].flatMap((data) => decoder.push(data));
  return fold(replyOf([[...events, ...decoder.end("")]]));
}

/** A whole reply, in a form that both sides have. */
interface Whole {
  readonly text: string;
  readonly thoughts: readonly {
    readonly text: string;
    readonly signature: string;
    readonly redacted: string;
  }[];
  readonly calls: readonly { readonly id: string; readonly name: string; readonly input: unknown }[];
  readonly pieces: readonly string[];
  readonly finishReason: string;
}

async function read(
  recording: Recording,
): Promise<Whole & { usage: ReturnType<typeof dialect.decodeReply>["usage"] }> {
  const { response, message, toolCalls, finishReason } = await foldOf(recording);
  const parts = message?.parts ?? [];
  return {
    text: response,
    thoughts: parts.flatMap(({ part }) => {
      if (part.case !== "reasoning") return [];
      const { text, signature, redacted } = part.value;
      return [{ text, signature, redacted }];
    }),
    calls: toolCalls.map(({ id, name, arguments: args }) => ({ id, name, input: JSON.parse(args) })),
    pieces: parts.flatMap(({ part }) => (part.case === "providerPart" ? [part.value.type] : [])),
    finishReason,
    usage: usageOf(recording),
  };
}

function usageOf({ meta, body }: Recording) {
  if (!meta.request.stream) return dialect.decodeReply(body.toString(), {}).usage;
  const decoder = dialect.decodeStream({});
  for (const data of new SseReader().push(body)) decoder.push(data);
  return decoder.usage;
}

function wholeOf({ content, stop_reason }: Message): Whole {
  return {
    text: content.map((block) => (block.type === "text" ? block.text : "")).join(""),
    thoughts: content.flatMap((block) => {
      if (block.type === "thinking")
        return [{ text: block.thinking, signature: block.signature, redacted: "" }];
      return block.type === "redacted_thinking" ? [{ text: "", signature: "", redacted: block.data }] : [];
    }),
    calls: content.flatMap((block) => {
      if (block.type !== "tool_use") return [];
      const { id, name, input } = block;
      return [{ id, name, input }];
    }),
    pieces: content.flatMap(({ type }) => (OWN.includes(type) ? [] : [type])),
    finishReason: decodeFinishReason(stop_reason ?? ""),
  };
}

const OWN: readonly string[] = ["text", "thinking", "redacted_thinking", "tool_use"];

/** Who called is said of direct calls too, where it says nothing. */
function sendable(block: ContentBlock): object {
  if (block.type !== "tool_use") return block;
  const { caller, ...rest } = block;
  return rest;
}

/** With texts that nothing stands between as one, which is what the model reads, unless something in them is cited. */
function blocksOf(content: string | readonly object[]): object[] {
  const blocks: (object & { type?: string; text?: string; citations?: unknown[] | null })[] =
    typeof content === "string" ? [{ type: "text", text: content }] : structuredClone([...content]);
  return blocks.reduce<typeof blocks>((joined, block) => {
    const last = joined.at(-1);
    if (!block.citations?.length) delete block.citations;
    if (block.type === "text" && last?.type === "text" && !block.citations && !last.citations)
      last.text = `${last.text}${block.text}`;
    else joined.push(block);
    return joined;
  }, []);
}
