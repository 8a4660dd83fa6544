import { create, type MessageInitShape } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ChatRequestSchema } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { EmbedRequestSchema } from "../../gen/ts/llmgateway/v1/embed_pb.ts";
import type { PartSchema } from "../../gen/ts/llmgateway/v1/message_pb.ts";
import { type EstimateTarget, Estimator } from "../../src/cost/estimate.ts";

const GPT: EstimateTarget = { provider: "openai", kind: "openai", model: "gpt-4o" };
const TARGETS: readonly EstimateTarget[] = [
  GPT,
  { provider: "claude", kind: "claude", model: "claude-opus-5" },
  { provider: "google", kind: "vertex_ai", model: "gemini-3-flash-preview" },
  { provider: "aws", kind: "bedrock", model: "eu.amazon.nova-lite-v1:0" },
  { provider: "mine", kind: "openai_compatible", model: "my-model" },
];

function chat(request: MessageInitShape<typeof ChatRequestSchema>) {
  return create(ChatRequestSchema, request);
}

function said(content: string) {
  return chat({ messages: [{ role: "user", content }] });
}

function withPart(part: NonNullable<MessageInitShape<typeof PartSchema>["part"]>) {
  return chat({ messages: [{ role: "user", parts: [{ part }] }] });
}

function estimated(request: MessageInitShape<typeof ChatRequestSchema>, target = GPT): number {
  return new Estimator().estimate(chat(request), target).inputTokens;
}

const WORDS = "one two three four five six seven eight nine ten ".repeat(10).trim();
const SCHEMA = JSON.stringify({
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
});

describe("any request", () => {
  const texts = fc.oneof(
    fc.string({ unit: "binary", maxLength: 500 }),
    fc.string({ unit: "grapheme", maxLength: 200 }),
  );

  it.each(TARGETS)("to $model has whole numbers, of which the maximum is no less", (target) => {
    fc.assert(
      fc.property(texts, texts, (content, description) => {
        const tools = [{ name: "find", description, parametersJson: "{}" }];
        const { inputTokens, maxInputTokens } = new Estimator().estimate(
          chat({ messages: [{ role: "user", content }], tools }),
          target,
        );
        expect(Number.isInteger(inputTokens) && inputTokens > 0).toBe(true);
        expect(Number.isInteger(maxInputTokens) && maxInputTokens >= inputTokens).toBe(true);
      }),
      { numRuns: 50 },
    );
  });

  it.each(TARGETS)("to $model has no less with more text", (target) => {
    fc.assert(
      fc.property(texts, texts, (content, more) => {
        const estimator = new Estimator();
        const before = estimator.estimate(said(content), target);
        const after = estimator.estimate(said(content + more), target);
        expect(after.inputTokens).toBeGreaterThanOrEqual(before.inputTokens);
        expect(after.maxInputTokens).toBeGreaterThanOrEqual(before.maxInputTokens);
      }),
      { numRuns: 50 },
    );
  });

  it("has no more tokens than bytes in what is said, beside what stands around it", () => {
    const nonsense = "qxzjkvwb".repeat(500);
    const { maxInputTokens } = new Estimator().estimate(said(nonsense), GPT);
    expect(maxInputTokens).toBeGreaterThan(nonsense.length / 2);
    expect(maxInputTokens).toBeLessThan(nonsense.length + 50);
  });
});

describe("what is counted", () => {
  const none = estimated({ messages: [{ role: "user" }] });
  const parts = (part: NonNullable<MessageInitShape<typeof PartSchema>["part"]>) => ({
    messages: [{ role: "user", parts: [{ part }] }],
  });

  it.each([
    ["text", { messages: [{ role: "user", content: WORDS }] }, 100],
    ["text in a part", parts({ case: "text", value: WORDS }), 100],
    ["a refusal", parts({ case: "refusal", value: WORDS }), 100],
    ["thoughts", parts({ case: "reasoning", value: { text: WORDS, signature: "x".repeat(800) } }), 100],
    ["sealed thoughts", parts({ case: "reasoning", value: { redacted: "x".repeat(800) } }), 100],
    ["a call", parts({ case: "toolCall", value: { name: "count", arguments: WORDS } }), 109],
    ["a call of free text", parts({ case: "toolCall", value: { name: "count", input: WORDS } }), 109],
    ["a result", parts({ case: "toolResult", value: { content: WORDS } }), 108],
    ["a text file", parts(file("text/plain", WORDS)), 100],
    ["a file in a data: URL", parts(fileUrl(`data:application/pdf;base64,${"JVBE".repeat(400)}`)), 100],
    ["another file", parts(file("application/pdf", "%PDF".repeat(400))), 100],
  ])("%s", (_, request, tokens) => {
    expect(Math.abs(estimated(request) - none - tokens)).toBeLessThanOrEqual(5);
  });

  it("each message beside its text", () => {
    const many = estimated({ messages: Array.from({ length: 11 }, () => ({ role: "user" })) });
    expect(many - none).toBe(40);
  });

  it("tools and the schema of the answer, as JSON or as text", () => {
    const messages = [{ role: "user", content: "Hi" }];
    const bare = estimated({ messages });
    const tool = { name: "weather", description: "Tells the weather" };
    const asText = estimated({ messages, tools: [{ ...tool, parametersJson: SCHEMA }] });
    expect(asText).toBeGreaterThan(bare + 15);
    expect(estimated({ messages, tools: [{ ...tool, parameters: JSON.parse(SCHEMA) }] })).toBe(asText);
    const format = { type: "json_schema", name: "city" };
    const schema = estimated({ messages, responseFormat: { ...format, schemaJson: SCHEMA } });
    expect(schema).toBeGreaterThan(bare + 15);
    expect(estimated({ messages, responseFormat: { ...format, schema: JSON.parse(SCHEMA) } })).toBe(schema);
  });

  it("a file that its provider fetches, as a long one", () => {
    const url = withPart({
      case: "file",
      value: { source: { case: "url", value: "https://example.com/a.pdf" } },
    });
    const { inputTokens, maxInputTokens } = new Estimator().estimate(url, GPT);
    expect(inputTokens).toBeGreaterThan(10_000);
    expect(maxInputTokens).toBeGreaterThan(100_000);
  });

  it("a picture by its provider's rule, and as the largest where its size is not known", () => {
    const source = { case: "url", value: "https://example.com/a.png" } as const;
    const picture = withPart({ case: "image", value: { source } });
    const { inputTokens, maxInputTokens } = new Estimator().estimate(picture, GPT);
    expect(inputTokens - none).toBe(765);
    expect(maxInputTokens).toBeGreaterThanOrEqual(1_445);
  });

  it("texts for embeddings, with nothing around them", () => {
    const input = [WORDS, WORDS];
    const request = create(EmbedRequestSchema, { input });
    const { inputTokens } = new Estimator().estimate(request, { ...GPT, model: "text-embedding-3-small" });
    expect(Math.abs(inputTokens - 200)).toBeLessThan(20);
  });

  it("what tools bring with them, by the model and by whether one must be called", () => {
    const tools = [{ name: "weather", parametersJson: SCHEMA }];
    const messages = [{ role: "user", content: "Hi" }];
    const opus = { provider: "claude", kind: "claude", model: "claude-3-opus-20240229" };
    const haiku = { ...opus, model: "claude-3-haiku-20240307" };
    const withTools = (target: EstimateTarget, toolChoice = "") =>
      estimated({ messages, tools, toolChoice }, target);
    expect(withTools(opus) - withTools(haiku)).toBe(530 - 264);
    expect(withTools(opus) - withTools(opus, "weather")).toBe(530 - 281);
    expect(withTools(opus, "none")).toBe(withTools(opus));
  });
});

function file(mediaType: string, text: string) {
  const source = { case: "data", value: new TextEncoder().encode(text) } as const;
  return { case: "file", value: { source, mediaType } } as const;
}

function fileUrl(value: string) {
  return { case: "file", value: { source: { case: "url", value } } } as const;
}

describe("a request that lets its provider read more", () => {
  const search = chat({
    messages: [{ role: "user", content: "News?" }],
    extraBody: { web_search_options: {} },
  });

  it("may fill the model's window again and again", () => {
    const known = new Estimator().estimate(search, { ...GPT, contextWindowTokens: 128_000 });
    expect(known).toMatchObject({ maxInputTokens: 1_280_000 });
    expect(new Estimator().estimate(search, GPT).maxInputTokens).toBeGreaterThan(10_000_000);
  });

  it("may fill it once, with what was cached before", () => {
    const cached = chat({
      messages: [{ role: "user", content: "So?" }],
      extraBody: { cachedContent: "caches/1" },
    });
    const { maxInputTokens } = new Estimator().estimate(cached, { ...GPT, contextWindowTokens: 128_000 });
    expect(maxInputTokens).toBe(128_000);
  });

  it("is as any other where the extra fields are of another kind", () => {
    const other = chat({ messages: [{ role: "user", content: "News?" }], extraBody: { logit_bias: {} } });
    expect(new Estimator().estimate(other, GPT).maxInputTokens).toBeLessThan(100);
  });

  it("teaches nothing", () => {
    const estimator = new Estimator();
    for (let call = 0; call < 50; call++) estimator.observe(estimator.estimate(search, GPT), GPT, 400_000);
    expect(estimator.estimate(said(WORDS), GPT)).toEqual(new Estimator().estimate(said(WORDS), GPT));
  });
});

describe("what was measured", () => {
  const request = said(WORDS.repeat(10));
  const MINE = { provider: "mine", kind: "openai_compatible", model: "my-model" };

  /** @param ratio of what is measured to what would be expected without it */
  function taught(calls: number, ratio: (call: number) => number, target: EstimateTarget = MINE): Estimator {
    const estimator = new Estimator();
    const { inputTokens } = new Estimator().estimate(request, target);
    for (let call = 0; call < calls; call++) {
      const tokens = Math.round(inputTokens * ratio(call));
      estimator.observe(estimator.estimate(request, target), target, tokens);
    }
    return estimator;
  }

  const before = new Estimator().estimate(request, MINE);

  it("moves the estimate to it", () => {
    const after = taught(200, () => 1.3).estimate(request, MINE);
    expect(after.inputTokens / before.inputTokens).toBeCloseTo(1.3, 1);
    expect(after.maxInputTokens).toBeGreaterThan(1.3 * before.inputTokens);
  });

  it("brings the maximum nearer where it varies little, and leaves it away where it varies", () => {
    const margin = (estimator: Estimator) => {
      const { inputTokens, maxInputTokens } = estimator.estimate(request, MINE);
      return maxInputTokens / inputTokens;
    };
    const steady = margin(taught(200, () => 1.05));
    const wild = margin(taught(200, (call) => (call % 2 === 0 ? 0.8 : 1.4)));
    expect(steady).toBeLessThan(margin(new Estimator()) - 0.5);
    expect(wild).toBeGreaterThan(steady + 0.4);
    expect(steady).toBeGreaterThan(1.1);
  });

  it("is outweighed by much that was measured before", () => {
    const estimator = taught(200, (call) => (call < 199 ? 1 : 2));
    expect(estimator.estimate(request, MINE).inputTokens / before.inputTokens).toBeCloseTo(1, 1);
  });

  it("is followed when it changes for good", () => {
    const estimator = taught(2_000, (call) => (call < 1_000 ? 1 : 1.4));
    expect(estimator.estimate(request, MINE).inputTokens / before.inputTokens).toBeCloseTo(1.4, 1);
  });

  it("serves other models of the family, and less so than its own", () => {
    const own = { ...GPT, model: "gpt-4o" };
    const sibling = { ...GPT, model: "gpt-4.1" };
    const stranger = { provider: "claude", kind: "claude", model: "claude-opus-5" };
    const estimator = taught(200, () => 1.2, own);
    const grown = (target: EstimateTarget) =>
      estimator.estimate(request, target).inputTokens / new Estimator().estimate(request, target).inputTokens;
    expect(grown(own)).toBeCloseTo(1.2, 1);
    expect(grown(sibling)).toBeGreaterThan(1.1);
    expect(grown(stranger)).toBe(1);
  });

  it("is not learnt from where nothing was read", () => {
    const estimator = taught(5, () => 0);
    expect(estimator.estimate(request, MINE)).toEqual(before);
  });
});
