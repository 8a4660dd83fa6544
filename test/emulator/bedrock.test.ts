/** Bedrock's wire format, read by the official SDK and held against what was recorded. */
import {
  type ContentBlock,
  ConverseCommand,
  type ConverseCommandInput,
  ConverseStreamCommand,
  type ConverseStreamOutput,
  InvokeModelCommand,
  InvokeModelWithResponseStreamCommand,
} from "@aws-sdk/client-bedrock-runtime";
import { describe, expect, test } from "vitest";
import { startEmulator } from "../../src/emulator/server.ts";
import { EventStreamReader } from "../../src/wire/eventstream.ts";
import { loadRecordings, type Recording, recordingsFolder } from "../recordings/recordings.ts";
import { bedrockClient } from "../support/bedrock-client.ts";
import { emulated } from "./emulated.ts";
import { shapes } from "./shapes.ts";

const NOVA = "us.amazon.nova-lite-v1:0";
const CLAUDE = "us.anthropic.claude-haiku-4-5-20251001-v1:0";
const emulator = await emulated();
const client = bedrockClient(`${emulator.url}/bedrock`);

function asking(text: string, fields: Partial<ConverseCommandInput> = {}): ConverseCommandInput {
  return { modelId: NOVA, messages: [{ role: "user", content: [{ text }] }], ...fields };
}

const converse = (params: ConverseCommandInput) => client.send(new ConverseCommand(params));

async function stream(params: ConverseCommandInput): Promise<ConverseStreamOutput[]> {
  const { stream: events = [] } = await client.send(new ConverseStreamCommand(params));
  return Array.fromAsync(events as AsyncIterable<ConverseStreamOutput>);
}

const textOf = (blocks: readonly ContentBlock[] = []) => blocks.map(({ text = "" }) => text).join("");
const streamed = (events: readonly ConverseStreamOutput[]) =>
  events.map(({ contentBlockDelta }) => contentBlockDelta?.delta?.text ?? "").join("");

/** As anybody sends it, signed by nobody in particular. */
function send(path: string, body: object, headers: Record<string, string> = BEARER): Promise<Response> {
  return fetch(`${emulator.url}${path}`, { method: "POST", body: JSON.stringify(body), headers });
}
const BEARER = { authorization: "Bearer any-key" };
const ask = (text: string, operation = "converse") =>
  send(`/model/${NOVA}/${operation}`, { messages: [{ role: "user", content: [{ text }] }] });

async function framesOf(reply: Response): Promise<string[]> {
  const reader = new EventStreamReader();
  return [...reader.push(new Uint8Array(await reply.arrayBuffer())), ...reader.end()];
}

const weather = {
  toolSpec: {
    name: "get_weather",
    inputSchema: {
      json: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
    },
  },
};
const clock = { toolSpec: { ...weather.toolSpec, name: "get_time" } };

describe("Converse", () => {
  test("says the same whole and streamed, and is metered as it says", async () => {
    emulator.meter.reset();
    const { output, usage, stopReason } = await converse(asking("What is new?"));
    const events = await stream(asking("What is new?"));
    expect(streamed(events)).toBe(textOf(output?.message?.content));
    expect(stopReason).toBe("end_turn");
    const { metadata } = events.at(-1) ?? {};
    await emulator.meter.ended(2);
    for (const [index, figures] of [usage, metadata?.usage].entries()) {
      expect(emulator.meter.requests[index]).toMatchObject({
        model: NOVA,
        inputTokens: figures?.inputTokens,
        outputTokens: figures?.outputTokens,
        outcome: "served",
      });
    }
  });

  test("ends at the limit, and before a stop sequence", async () => {
    const short = await converse(asking("Hi", { inferenceConfig: { maxTokens: 3 } }));
    expect(short).toMatchObject({ stopReason: "max_tokens", usage: { outputTokens: 3 } });
    const stopped = await converse(asking("Hi", { inferenceConfig: { stopSequences: ["answer"] } }));
    expect(textOf(stopped.output?.message?.content)).toBe("This is the ");
  });

  test("is JSON of a schema", async () => {
    const schema = { type: "object", properties: { age: { type: "integer" } }, required: ["age"] };
    const structure = { jsonSchema: { schema: JSON.stringify(schema) } };
    const { output } = await converse(
      asking("Hi", { outputConfig: { textFormat: { type: "json_schema", structure } } }),
    );
    expect(textOf(output?.message?.content)).toMatch(/^\{"age":\d+\}$/);
  });

  test("calls tools as they are named, and answers when it has their results", async () => {
    const toolConfig = { tools: [weather, clock] };
    const params = asking("Use get_weather and get_time", { toolConfig });
    const { output, stopReason } = await converse(params);
    expect(stopReason).toBe("tool_use");
    const content = output?.message?.content ?? [];
    expect(content).toMatchObject([
      { toolUse: { name: "get_weather", input: { city: "sample city" } } },
      { toolUse: { name: "get_time", input: { city: "sample city" } } },
    ]);
    const results = content.map(({ toolUse }) => ({
      toolResult: { toolUseId: toolUse?.toolUseId, content: [] },
    }));
    const messages = [
      ...(params.messages ?? []),
      { role: "assistant" as const, content },
      { role: "user" as const, content: results },
    ];
    expect(await converse({ ...params, messages })).toMatchObject({ stopReason: "end_turn" });
    await expect(converse({ ...params, messages, toolConfig: undefined })).rejects.toThrow(
      "toolConfig field",
    );
    const one = { toolConfig: { tools: [weather, clock], toolChoice: { tool: { name: "get_time" } } } };
    expect((await converse(asking("Hi", one))).output?.message?.content).toHaveLength(1);
    const any = { toolConfig: { tools: [weather, clock], toolChoice: { any: {} } } };
    expect((await converse(asking("Hi", any))).stopReason).toBe("tool_use");
  });

  test.each([
    [{ thinking: { type: "enabled", budget_tokens: 1024 } }, 128],
    [{ reasoningConfig: { type: "enabled", maxReasoningEffort: "low" } }, 64],
  ])("thinks, and knows its thoughts again: %j", async (additionalModelRequestFields, tokens) => {
    const params = asking("Hi", { additionalModelRequestFields });
    const { output, usage } = await converse(params);
    const content = output?.message?.content ?? [];
    const [thought] = content;
    expect(thought?.reasoningContent?.reasoningText?.signature).not.toBe("");
    expect(usage?.outputTokens).toBeGreaterThan(tokens);
    const again = { role: "user" as const, content: [{ text: "And now?" }] };
    const sentBack = (blocks: ContentBlock[]) =>
      converse({
        ...params,
        messages: [...(params.messages ?? []), { role: "assistant", content: blocks }, again],
      });
    expect(await sentBack(content)).toMatchObject({ stopReason: "end_turn" });
    const text = { ...thought?.reasoningContent?.reasoningText, text: "Changed." };
    const changed = [{ reasoningContent: { reasoningText: text } }, ...content.slice(1)];
    await expect(sentBack(changed)).rejects.toThrow("Invalid `signature`");
  });

  test("keeps what is marked, for as long as it is told", async () => {
    const text = "Handbook. ".repeat(600);
    const unmarked = await converse(asking("Hi", { system: [{ text }] }));
    expect(unmarked.usage).not.toHaveProperty("cacheReadInputTokens");
    const marked = asking("Hi", { system: [{ text }, { cachePoint: { type: "default", ttl: "1h" } }] });
    const { usage: written } = await converse(marked);
    const count = written?.cacheWriteInputTokens ?? 0;
    expect(count).toBeGreaterThan(1024);
    expect(written).toMatchObject({
      cacheReadInputTokens: 0,
      cacheDetails: [{ ttl: "1h", inputTokens: count }],
    });
    const { usage: read } = await converse(marked);
    expect(read).toMatchObject({ cacheReadInputTokens: count, cacheWriteInputTokens: 0 });
    expect(read?.totalTokens).toBe((read?.inputTokens ?? 0) + count + (read?.outputTokens ?? 0));
  });
});

describe("InvokeModel", () => {
  const decoder = new TextDecoder();

  async function invoke(modelId: string, body: object) {
    const params = { modelId, body: Buffer.from(JSON.stringify(body)) };
    const whole = JSON.parse(decoder.decode((await client.send(new InvokeModelCommand(params))).body));
    const { body: chunks = [] } = await client.send(new InvokeModelWithResponseStreamCommand(params));
    const pieces = [];
    for await (const { chunk } of chunks as AsyncIterable<{ chunk?: { bytes?: Uint8Array } }>)
      pieces.push(JSON.parse(decoder.decode(chunk?.bytes)));
    return { whole, pieces };
  }

  test("speaks Titan, one token a chunk", async () => {
    const textGenerationConfig = { maxTokenCount: 4, stopSequences: [] };
    const { whole, pieces } = await invoke("amazon.titan-tg1-large", {
      inputText: "User: Hi\nBot:",
      textGenerationConfig,
    });
    expect(whole.results).toEqual([
      { tokenCount: 4, outputText: "This is the answer", completionReason: "LENGTH" },
    ]);
    expect(pieces.map(({ outputText }) => outputText).join("")).toBe("This is the answer");
    expect(pieces.at(-1)).toMatchObject({
      completionReason: "LENGTH",
      totalOutputTextTokenCount: 4,
      "amazon-bedrock-invocationMetrics": { outputTokenCount: 4 },
    });
  });

  test("speaks Llama, which counts as it goes", async () => {
    const { whole, pieces } = await invoke("meta.llama2-13b-chat-v1", {
      prompt: "<s>[INST] <<SYS>>\nBe kind.\n<</SYS>>\n\nHi [/INST]",
      max_gen_len: 20,
    });
    expect(whole).toMatchObject({ stop_reason: "length", generation_token_count: 20 });
    expect(whole.generation).toContain('"Hi"');
    expect(pieces[0]).toMatchObject({ prompt_token_count: whole.prompt_token_count, stop_reason: null });
    expect(pieces[3]).toMatchObject({ prompt_token_count: null, generation_token_count: 4 });
  });

  test("speaks Mistral and the second Claude, which count in the headers alone", async () => {
    const bodies = [
      ["mistral.mistral-7b-instruct-v0:2", { prompt: "<s>[INST] Hi [/INST]" }],
      ["anthropic.claude-v2:1", { prompt: "\n\nHuman: Hi\n\nAssistant:", max_tokens_to_sample: 100 }],
    ] as const;
    for (const [model, body] of bodies) {
      const reply = await send(`/model/${encodeURIComponent(model)}/invoke`, body);
      const counted = Number(reply.headers.get("x-amzn-bedrock-output-token-count"));
      const text = JSON.stringify(await reply.json());
      expect(text).not.toMatch(/token/i);
      expect(text).toContain('\\"Hi\\"');
      expect(counted).toBeGreaterThan(5);
    }
  });

  test("speaks Claude, with Bedrock's figures beside Claude's", async () => {
    const messages = [{ role: "user", content: "Hi" }];
    const body = { anthropic_version: "bedrock-2023-05-31", max_tokens: 50, messages };
    const { whole, pieces } = await invoke(CLAUDE, body);
    expect(whole).toMatchObject({ type: "message", stop_reason: "end_turn" });
    expect(pieces.map(({ type }) => type)).not.toContain("ping");
    expect(pieces.at(-1)).toMatchObject({
      type: "message_stop",
      "amazon-bedrock-invocationMetrics": { outputTokenCount: whole.usage.output_tokens },
    });
    for (const field of [{ model: CLAUDE }, { stream: true }])
      await expect(invoke(CLAUDE, { ...body, ...field })).rejects.toThrow("Extra inputs are not permitted");
    await expect(invoke(CLAUDE, { max_tokens: 5, messages })).rejects.toThrow(
      "anthropic_version: Field required",
    );
    await expect(invoke(CLAUDE, { ...body, max_tokens: 0 })).rejects.toThrow("max_tokens: Input should be");
  });
});

describe("what Bedrock refuses", () => {
  const user = (...content: object[]) => ({ messages: [{ role: "user", content }] });
  const document = (name: string) => ({ document: { name, format: "txt", source: { bytes: "SGk=" } } });
  test.each<[string, object, string]>([
    ["no message", { messages: [] }, "at least one message"],
    [
      "an assistant who begins",
      { messages: [{ role: "assistant", content: [{ text: "a" }] }] },
      "must start with",
    ],
    [
      "another role",
      { messages: [...user({ text: "a" }).messages, { role: "tool", content: [] }] },
      "enum value set",
    ],
    ["an empty message", user(), "is empty"],
    ["a blank text", user({ text: " " }), "is blank"],
    ["a document's name with a dot", user({ text: "a" }, document("a.txt")), "can only contain"],
    ["a document's name twice", user({ text: "a" }, document("a"), document("a")), "Duplicate"],
    ["a call without tools", user({ toolUse: { input: {} } }), "toolConfig field"],
    [
      "arguments as text, of a tool",
      { ...user({ toolUse: { input: "{}" } }), toolConfig: {} },
      "json object",
    ],
    [
      "a limit of nothing",
      { ...user({ text: "a" }), inferenceConfig: { maxTokens: 0 } },
      "inferenceConfig.maxTokens",
    ],
    [
      "a schema that is no JSON",
      {
        ...user({ text: "a" }),
        outputConfig: { textFormat: { structure: { jsonSchema: { schema: "{" } } } },
      },
      "is not valid JSON",
    ],
    ["a directive that is none", user({ text: "[[emulate: x=1]]" }), "Unknown"],
  ])("%s", async (_, body, message) => {
    const reply = await send(`/model/${NOVA}/converse`, body);
    expect(reply.status).toBe(400);
    expect(reply.headers.get("x-amzn-errortype")).toMatch(/^ValidationException:http/);
    expect(await reply.json()).toEqual({ message: expect.stringContaining(message) });
  });

  test("a model that is none, and a body that is no JSON", async () => {
    for (const model of ["llmgateway-availability", "us.amazon.no-such-v1:0"])
      expect(await (await send(`/model/${model}/converse`, {})).json()).toEqual({
        message: "The provided model identifier is invalid.",
      });
    const reply = await fetch(`${emulator.url}/model/${NOVA}/converse`, {
      method: "POST",
      body: "{",
      headers: BEARER,
    });
    expect(reply.headers.get("x-amzn-errortype")).toMatch(/^SerializationException/);
  });
});

describe("a signature", () => {
  test("is wanted, in the right form", async () => {
    const none = await send(`/model/${NOVA}/converse`, {}, {});
    expect([none.status, none.headers.get("x-amzn-errortype")?.split(":")[0]]).toEqual([
      403,
      "MissingAuthenticationTokenException",
    ]);
    const scope = "AKID/20260101/us-east-1/bedrock/aws4_request";
    const signed = `AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=host;x-amz-date, Signature=${"0".repeat(64)}`;
    const time = "20260101T000000Z";
    for (const [authorization, date] of [
      [signed, "20260102T000000Z"],
      [signed.replace("host;", ""), time],
      [signed.replace("bedrock/", "s3/"), time],
      [signed.slice(0, -1), time],
    ] as const) {
      const reply = await send(`/model/${NOVA}/converse`, {}, { authorization, "x-amz-date": date });
      expect(reply.headers.get("x-amzn-errortype")).toMatch(/^IncompleteSignatureException/);
    }
    expect(
      (await send(`/model/${NOVA}/converse`, {}, { authorization: signed, "x-amz-date": time })).status,
    ).toBe(400);
  });

  test("is verified where the secret is known", async () => {
    const guarded = await startEmulator({ apiKey: "right" });
    const arn = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-lite-v1:0";
    for (const modelId of [NOVA, arn])
      for (const token of [undefined, "token"])
        await bedrockClient(guarded.url, "right", token).send(new ConverseCommand(asking("Hi", { modelId })));
    await expect(
      bedrockClient(guarded.url, "wrong").send(new ConverseCommand(asking("Hi"))),
    ).rejects.toMatchObject({
      name: "InvalidSignatureException",
    });
    for (const [key, status] of [
      ["right", 400],
      ["wrong", 403],
    ] as const) {
      const headers = { authorization: `Bearer ${key}` };
      const init = { method: "POST", body: "{}", headers };
      expect((await fetch(`${guarded.url}/model/${NOVA}/converse`, init)).status).toBe(status);
    }
    await guarded.close();
  });
});

describe("faults", () => {
  test.each([
    ["status=429 retry_after=2", 429, "ThrottlingException"],
    ["status=500", 500, "InternalServerException"],
    ["status=503", 503, "ServiceUnavailableException"],
    ["status=418", 418, "ValidationException"],
    ["code=ModelTimeout", 408, "ModelTimeoutException"],
    ["code=ExpiredTokenException", 403, "ExpiredTokenException"],
    ["code=SomethingElse", 400, "SomethingElseException"],
  ])("%s", async (directive, status, exception) => {
    const reply = await ask(`Hi [[emulate: ${directive}]]`, "converse-stream");
    expect(reply.status).toBe(status);
    expect(reply.headers.get("x-amzn-errortype")?.split(":")[0]).toBe(exception);
    expect(reply.headers.get("retry-after")).toBe(directive.includes("retry_after") ? "2" : null);
    expect(await reply.json()).toEqual({ message: expect.stringMatching(/./) });
  });

  test("an exception inside a stream, and inside a whole reply", async () => {
    const frames = await framesOf(await ask("Hi [[emulate: error_event=2]]", "converse-stream"));
    expect(frames.filter((frame) => frame.includes("contentBlockDelta"))).toHaveLength(2);
    expect(frames.at(-1)).toMatch(/^\{"internalServerException":\{"message"/);
    const whole = await ask("Hi [[emulate: error_event=0 code=Throttling]]");
    expect([whole.status, whole.headers.get("x-amzn-errortype")?.split(":")[0]]).toEqual([
      200,
      "ThrottlingException",
    ]);
  });

  test("a stream without an end, without figures, or with every event twice", async () => {
    const open = await framesOf(await ask("Hi [[emulate: no_done=1]]", "converse-stream"));
    expect(open.at(-1)).toContain("contentBlockStop");
    const bare = await framesOf(await ask("Hi [[emulate: no_usage=1]]", "converse-stream"));
    expect(bare.at(-1)).toMatch(/^\{"metadata":\{"metrics"(?!.*usage)/);
    const twice = await framesOf(await ask("Hi [[emulate: duplicate=1 tokens=2]]", "converse-stream"));
    expect(twice.filter((frame) => frame.includes("contentBlockDelta"))).toHaveLength(4);
  });

  test("bytes that are missing, which the checksums tell", async () => {
    await expect(async () =>
      framesOf(await ask("Hi [[emulate: malformed=1]]", "converse-stream")),
    ).rejects.toMatchObject({ kind: "malformed_reply" });
  });
});

test("the same seed gives the same bytes", async () => {
  const run = async (seed: number) => {
    const fresh = await startEmulator({ seed });
    const texts: string[] = [];
    for (const operation of ["converse", "converse-stream"]) {
      const body = JSON.stringify({ messages: [{ role: "user", content: [{ text: "Hi" }] }] });
      const init = { method: "POST", body, headers: BEARER };
      texts.push(await (await fetch(`${fresh.url}/model/${NOVA}/${operation}`, init)).text());
    }
    await fresh.close();
    return texts;
  };
  const [first, second, other] = [await run(7), await run(7), await run(8)];
  expect(second).toEqual(first);
  for (const [index, text] of other.entries()) expect(text).not.toBe(first[index]);
});

const folder = recordingsFolder();
/** What the emulator has no counterpart of: a guardrail's trace, a tool of Bedrock's own, a source. */
const OTHER = /guardrail|server-tool|citations|redacted/;
const recordings =
  folder === undefined
    ? []
    : loadRecordings(folder, ["bedrock"]).filter(
        ({ meta, name }) => meta.status === 200 && meta.operation.startsWith("converse") && !OTHER.test(name),
      );

/** What came later than some of the recordings, and nobody misses. */
const LATER = /,?"(?:serverToolUsage|cacheDetails)":(?:\{\}|\[.*?\])/g;

if (recordings.length > 0)
  describe("what is sent has the shapes of what was recorded", () => {
    const recorded = new Set(recordings.flatMap((recording) => shapes(strip(recordedText(recording)))));
    test.each(recordings.map((recording) => [recording.name, recording] as const))(
      "%s",
      async (_, recording) => {
        const { meta, request } = recording;
        const body = JSON.parse(request ?? "");
        for (const tool of body.toolConfig?.tools ?? []) {
          const [question] = body.messages;
          question.content = [{ text: `Use ${tool.toolSpec.name}` }];
        }
        const reply = await send(`/model/${NOVA}/${meta.operation}`, body);
        const ours = meta.request.stream ? linesOf(await framesOf(reply)) : unpacked(await reply.text());
        const missing = shapes(strip(ours)).filter((shape) => !recorded.has(shape));
        expect(missing).toEqual([]);
      },
    );
  });

function recordedText({ meta, body }: Recording): string {
  return meta.request.stream ? linesOf(new EventStreamReader().push(body)) : unpacked(body.toString());
}

/** Each block by itself, as only the first of a list is looked at. */
function unpacked(text: string): string {
  const { output, ...reply } = JSON.parse(text);
  return linesOf([...output.message.content, reply].map((value) => JSON.stringify(value)));
}

function linesOf(frames: readonly string[]): string {
  return frames.map((frame) => `data: ${frame}\n`).join("");
}

function strip(text: string): string {
  return text.replace(LATER, "").replaceAll("{,", "{");
}
