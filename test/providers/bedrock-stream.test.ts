import { describe, expect, test } from "vitest";
import type { StreamResponse } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { decodeReply } from "../../src/providers/bedrock/decode.ts";
import { BedrockStream } from "../../src/providers/bedrock/stream.ts";

type Said = Omit<StreamResponse, "$typeName">;

function bare(events: readonly StreamResponse[]): Said[] {
  return events.map(({ $typeName: _, ...fields }) => fields);
}

function read(...frames: object[]) {
  const stream = new BedrockStream();
  return { stream, events: bare(frames.flatMap((frame) => stream.push(JSON.stringify(frame)))) };
}

const start = (contentBlockIndex: number, value: object) => ({
  contentBlockStart: { contentBlockIndex, start: value },
});
const delta = (contentBlockIndex: number, value: object) => ({
  contentBlockDelta: { contentBlockIndex, delta: value, p: "abc" },
});
const stop = (contentBlockIndex: number) => ({ contentBlockStop: { contentBlockIndex } });
const end = (stopReason: string) => ({ messageStop: { stopReason } });
const metadata = (usage: object, more: object = {}) => ({ metadata: { usage, ...more } });
const chunk = (value: object) => ({
  chunk: { bytes: Buffer.from(JSON.stringify(value)).toString("base64"), p: "abc" },
});

describe("a stream of Converse", () => {
  test("is over with its figures, which come behind its end", () => {
    const { stream, events } = read(
      { messageStart: { role: "assistant" } },
      delta(0, { text: "Hi" }),
      stop(0),
      end("end_turn"),
    );
    expect(events).toEqual([{ token: "Hi" }]);
    const last = stream.push(JSON.stringify(metadata({ inputTokens: 3, outputTokens: 2 })));
    expect(bare(last)).toEqual([{ done: true, finishReason: "stop" }]);
    expect(stream.end()).toEqual([]);
    expect(stream.usage).toMatchObject({ inputTokens: 3, outputTokens: 2, provenance: "measured" });
  });

  test("ends without figures when they do not come, and is cut when its end does not", () => {
    expect(bare(read(end("max_tokens")).stream.end())).toEqual([{ done: true, finishReason: "length" }]);
    const { stream } = read(delta(0, { text: "Hi" }), stop(0));
    expect(() => stream.end()).toThrow(expect.objectContaining({ kind: "cut" }));
  });

  test.each([
    ["end_turn", "stop"],
    ["stop_sequence", "stop"],
    ["max_tokens", "length"],
    ["model_context_window_exceeded", "length"],
    ["tool_use", "tool_calls"],
    ["content_filtered", "content_filter"],
    ["guardrail_intervened", "content_filter"],
    ["malformed_tool_use", "malformed_tool_use"],
  ])("that ends with %s ends with %s", (said, reason) => {
    expect(bare(read(end(said)).stream.end())).toEqual([{ done: true, finishReason: reason }]);
  });

  test("has sources behind the text that they are about", () => {
    const cited = {
      title: "Facts",
      source: "https://example.com/facts",
      sourceContent: [{ text: "So " }, { text: "it is." }],
      location: { documentChar: { documentIndex: 0, start: 5, end: 9 } },
    };
    const web = { location: { web: { url: "https://example.com/web" } } };
    const { events } = read(
      delta(0, { citation: cited }),
      delta(0, { text: "It is" }),
      delta(0, { citation: web }),
      delta(0, { text: " so." }),
      stop(0),
    );
    expect(events).toMatchObject([
      { token: "It is" },
      { token: " so." },
      {
        citation: {
          title: "Facts",
          url: "https://example.com/facts",
          quote: "So it is.",
          providerJson: JSON.stringify(cited),
        },
      },
      { citation: { title: "", url: "https://example.com/web", quote: "" } },
    ]);
    expect(events[2]?.citation).not.toHaveProperty("startIndex");
  });

  test("calls tools one after the other, and with nothing by {}", () => {
    const { events } = read(
      delta(0, { text: "" }),
      stop(0),
      start(1, { toolUse: { toolUseId: "a", name: "look" } }),
      start(1, { toolUse: { toolUseId: "a", name: "look" } }),
      delta(1, { toolUse: { input: "" } }),
      delta(1, { toolUse: { input: '{"x"' } }),
      delta(1, { toolUse: { input: ":1}" } }),
      stop(1),
      start(2, { toolUse: { toolUseId: "b", name: "stop", type: "tool_use" } }),
      stop(2),
    );
    expect(events.map(({ toolCall }) => toolCall)).toMatchObject([
      { index: 0, id: "a", name: "look" },
      { index: 0, arguments: '{"x"' },
      { index: 0, arguments: ":1}" },
      { index: 1, id: "b", name: "stop" },
      { index: 1, arguments: "{}" },
    ]);
  });

  test("has what Bedrock does itself as pieces that go back as they came", () => {
    const { events } = read(
      start(0, { toolUse: { toolUseId: "s", name: "search", type: "server_tool_use" } }),
      delta(0, { toolUse: { input: '{"q":' } }),
      delta(0, { toolUse: { input: "1}" } }),
      stop(0),
      start(1, { toolResult: { toolUseId: "s", status: "success" } }),
      delta(1, { toolResult: [{ text: "a" }] }),
      delta(1, { toolResult: [{ json: { b: 1 } }] }),
      stop(1),
      start(2, { image: { format: "png" } }),
      delta(2, { image: { source: { bytes: "SGk=" } } }),
      stop(2),
    );
    expect(events.map(({ providerPart }) => providerPart?.provider)).toEqual([
      "bedrock",
      "bedrock",
      "bedrock",
    ]);
    expect(
      events.map(({ providerPart }) => [providerPart?.type, JSON.parse(providerPart?.json ?? "")]),
    ).toEqual([
      ["toolUse", { toolUse: { toolUseId: "s", name: "search", type: "server_tool_use", input: { q: 1 } } }],
      [
        "toolResult",
        { toolResult: { toolUseId: "s", status: "success", content: [{ text: "a" }, { json: { b: 1 } }] } },
      ],
      ["image", { image: { format: "png", source: { bytes: "SGk=" } } }],
    ]);
  });

  test("takes what it does not know for nothing", () => {
    expect(read({ newEvent: { a: 1 } }, { messageStart: null }, delta(0, { newDelta: {} })).events).toEqual(
      [],
    );
  });

  test.each<[string, object]>([
    ["an event that is no object", { contentBlockDelta: 1 }],
    ["a text that is none", delta(0, { text: 1 })],
    ["an index that is none", delta(-1, { text: "a" })],
    ["a chunk that is no JSON", { chunk: { bytes: "e30h" } }],
    ["a chunk that is no text", { chunk: { bytes: 1 } }],
  ])("with %s is malformed", (_, frame) => {
    expect(() => read(frame)).toThrow(expect.objectContaining({ kind: "malformed_reply" }));
  });

  test("with arguments of Bedrock's own that are no JSON is malformed", () => {
    const frames = [
      start(0, { toolUse: { type: "server_tool_use" } }),
      delta(0, { toolUse: { input: "{" } }),
    ];
    expect(() => read(...frames, stop(0))).toThrow(expect.objectContaining({ kind: "malformed_reply" }));
  });
});

describe("figures", () => {
  test("include what was read from and written to the cache, and for how long", () => {
    const { stream } = read(
      metadata({
        inputTokens: 10,
        outputTokens: 7,
        totalTokens: 47,
        cacheReadInputTokens: 20,
        cacheWriteInputTokens: 10,
        cacheDetails: [
          { ttl: "1h", inputTokens: 6 },
          { ttl: "5m", inputTokens: 4 },
        ],
      }),
    );
    expect(stream.usage).toMatchObject({
      inputTokens: 40,
      cachedInputTokens: 20,
      cacheWriteTokens: 10,
      cacheWrite1hTokens: 6,
      outputTokens: 7,
      totalTokens: 47,
    });
  });

  test.each([
    [{ serviceTier: { type: "priority" } }, "priority"],
    [{ performanceConfig: { latency: "optimized" } }, "optimized"],
    [{ performanceConfig: { latency: "standard" } }, ""],
    [{}, ""],
  ])("name the tier that served: %j", (more, tier) => {
    expect(read(metadata({ inputTokens: 1, outputTokens: 1 }, more)).stream.usage?.serviceTier).toBe(tier);
  });

  test("are absent when nothing was counted", () => {
    expect(
      read(metadata({}), metadata({ inputTokens: -1, outputTokens: "many" })).stream.usage,
    ).toBeUndefined();
  });

  test("of a model count before Bedrock's, which count where the model does not", () => {
    const metrics = { "amazon-bedrock-invocationMetrics": { inputTokenCount: 5, outputTokenCount: 6 } };
    const mistral = read(
      chunk({ outputs: [{ text: "Hi", stop_reason: null }] }),
      chunk({ outputs: [{ text: "", stop_reason: "stop" }], ...metrics }),
    );
    expect(mistral.stream.usage).toMatchObject({ inputTokens: 5, outputTokens: 6 });
    const llama = read(
      chunk({ generation: "Hi", prompt_token_count: 9, generation_token_count: 1, stop_reason: null }),
      chunk({
        generation: "!",
        prompt_token_count: null,
        generation_token_count: 2,
        stop_reason: "stop",
        ...metrics,
      }),
    );
    expect(llama.stream.usage).toMatchObject({ inputTokens: 9, outputTokens: 2 });
    expect(bare(llama.stream.end())).toEqual([{ done: true, finishReason: "stop" }]);
  });

  test("of Claude that were never completed give way to Bedrock's", () => {
    const metrics = { "amazon-bedrock-invocationMetrics": { inputTokenCount: 5, outputTokenCount: 6 } };
    const begin = {
      type: "message_start",
      message: { model: "m", usage: { input_tokens: 5, output_tokens: 1 } },
    };
    const first = read(chunk(begin));
    expect(first.stream.usage).toMatchObject({ inputTokens: 5, outputTokens: 1, provenance: "estimated" });
    expect(first.stream.servedModel).toBe("m");
    expect(() => first.stream.end()).toThrow(expect.objectContaining({ kind: "cut" }));
    const { stream } = read(chunk(begin), chunk({ type: "ping", ...metrics }));
    expect(stream.usage).toMatchObject({ outputTokens: 6, provenance: "measured" });
  });
});

test("the model that a prompt router asked is told", () => {
  const trace = { promptRouter: { invokedModelId: "amazon.nova-lite-v1:0" } };
  const usage = { inputTokens: 1, outputTokens: 1 };
  expect(read(metadata(usage, { trace })).stream.servedModel).toBe("amazon.nova-lite-v1:0");
  const whole = { output: { message: { content: [{ text: "a" }] } }, stopReason: "end_turn", usage, trace };
  expect(decodeReply(JSON.stringify(whole), {}).servedModel).toBe("amazon.nova-lite-v1:0");
});

describe("a whole reply", () => {
  const reply = (content: readonly object[], more: object = {}) =>
    decodeReply(JSON.stringify({ output: { message: { content } }, stopReason: "end_turn", ...more }), {});

  test("has sources behind what they are about, and pieces of Bedrock's own", () => {
    const citations = [{ title: "Facts" }];
    const { events, usage } = reply([
      { citationsContent: { content: [{ text: "It is" }, { text: " so." }], citations } },
      { toolUse: { toolUseId: "s", type: "server_tool_use", name: "search", input: {} } },
    ]);
    expect(bare(events)).toMatchObject([
      { token: "It is" },
      { token: " so." },
      { citation: { title: "Facts" } },
      { providerPart: { provider: "bedrock", type: "toolUse" } },
      { done: true, finishReason: "stop" },
    ]);
    expect(usage).toBeUndefined();
  });

  test("keeps every digit of a tool's arguments", () => {
    const input = '{"id":12345678901234567890,"x":1}';
    const body = `{"output":{"message":{"content":[{"toolUse":{"toolUseId":"a","name":"b","input":${input}}}]}},"stopReason":"tool_use"}`;
    expect(decodeReply(body, {}).events[0]?.toolCall?.arguments).toBe(input);
  });

  test("is counted in the headers where the body says nothing", () => {
    const headers = {
      "x-amzn-bedrock-input-token-count": "4",
      "x-amzn-bedrock-output-token-count": "5",
      "x-amzn-bedrock-cache-read-input-token-count": "6",
      "x-amzn-bedrock-cache-write-input-token-count": "",
    };
    const body = JSON.stringify({ completion: "Hi", stop_reason: "max_tokens" });
    expect(decodeReply(body, headers)).toMatchObject({
      events: [{ token: "Hi" }, { done: true, finishReason: "length" }],
      usage: { inputTokens: 10, cachedInputTokens: 6, cacheWriteTokens: 0, outputTokens: 5 },
    });
  });

  test.each([
    ["no JSON", "<html>"],
    ["no object", "[]"],
    ["no format that is known", "{}"],
    ["no reason to stop", '{"output":{}}'],
    ["no reason to stop, of another format", '{"generation":"a","stop_reason":null}'],
    ["content that is no list", '{"output":{"message":{"content":1}},"stopReason":"end_turn"}'],
  ])("of %s is malformed", (_, body) => {
    expect(() => decodeReply(body, {})).toThrow(expect.objectContaining({ kind: "malformed_reply" }));
  });

  test("that is an exception all the same is one", () => {
    const headers = { "x-amzn-errortype": "ThrottlingException:http://internal.amazon.com/" };
    expect(() => decodeReply('{"message":"Too many"}', headers)).toThrow(
      expect.objectContaining({ kind: "provider_rate_limited", maybePaid: true }),
    );
  });
});

test("InvokeModel names the tier that served in a header, whatever Claude says of Anthropic's", () => {
  const headers = { "x-amzn-bedrock-service-tier": "priority" };
  const usage = { input_tokens: 3, output_tokens: 2, service_tier: "standard" };
  const content = [{ type: "text", text: "Hi" }];
  const whole = JSON.stringify({ type: "message", content, stop_reason: "end_turn", usage });
  expect(decodeReply(whole, headers).usage?.serviceTier).toBe("priority");
  expect(decodeReply(whole, {}).usage?.serviceTier).toBe("standard");
  for (const [told, tier] of [
    [headers, "priority"],
    [{}, "standard"],
  ] as const) {
    const stream = new BedrockStream(told);
    stream.push(JSON.stringify(chunk({ type: "message_start", message: { usage } })));
    expect(stream.usage).toMatchObject({ serviceTier: tier, provenance: "estimated" });
    stream.push(JSON.stringify(chunk({ type: "message_delta", usage: { output_tokens: 2 } })));
    expect(stream.usage).toMatchObject({ serviceTier: tier, provenance: "measured" });
  }
});
