import { create, type MessageInitShape } from "@bufbuild/protobuf";
import fc from "fast-check";
import { countTokens as o200k } from "gpt-tokenizer/encoding/o200k_base";
import { afterAll, describe, expect, it } from "vitest";
import { ChatRequestSchema } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { EmbedRequestSchema } from "../../gen/ts/llmgateway/v1/embed_pb.ts";
import { Tokenizer } from "../../src/cost/tokenizer.ts";

const counter = new Tokenizer();

async function count(texts: readonly string[], model = "gpt-4o"): Promise<number> {
  const tokens = await counter.count(texts, { kind: "openai", model });
  if (tokens === undefined) throw new Error(`no tokenizer for ${model}`);
  return tokens;
}

const PROSE = "The gateway says for every request what it cost, and why.\n";

describe("tokens are counted", () => {
  it.each([
    ["gpt-4o", 2],
    ["gpt-4.1-mini", 2],
    ["gpt-5.4-nano", 2],
    ["chatgpt-4o-latest", 2],
    ["o3-mini", 2],
    // The older encoding has no such word.
    ["gpt-4", 4],
    ["gpt-4-turbo", 4],
    ["gpt-3.5-turbo", 4],
    ["text-embedding-3-small", 4],
  ])("as %s does", async (model, tokens) => {
    expect(await count(["こんにちは世界"], model)).toBe(tokens);
  });

  it.each([
    ["claude", "claude-opus-5"],
    ["vertex_ai", "gemini-2.5-pro"],
    ["bedrock", "openai.gpt-oss-120b-1:0"],
    ["openai", "whatever"],
  ])("not for %s/%s", async (kind, model) => {
    expect(await counter.count(["Hello"], { kind, model })).toBeUndefined();
    expect(counter.knows({ kind, model })).toBe(false);
    expect(counter.knows({ kind: "openai", model: "gpt-4o" })).toBe(true);
  });

  it("of several texts together, and 0 of none", async () => {
    expect(await count([PROSE, "", PROSE])).toBe(2 * o200k(PROSE));
    expect(await count([])).toBe(0);
    expect(await count([""])).toBe(0);
  });

  it("of a control token's name as of any text", async () => {
    expect(await count(["<|endoftext|>"])).toBeGreaterThan(3);
  });

  it("whatever the text is made of", async () => {
    const texts = fc.array(fc.string({ unit: "binary", maxLength: 3_000 }), { maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(texts, async (given) => {
        const tokens = await count(given);
        const bytes = given.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
        expect(tokens <= bytes && (tokens > 0 || bytes === 0)).toBe(true);
      }),
      { numRuns: 50 },
    );
  });
});

describe("a long text", () => {
  it("is counted in pieces as it is as a whole", async () => {
    const text = PROSE.replace("\n", " ").repeat(500);
    expect(await count([text])).toBe(o200k(text));
  });

  it("is counted to the last percent where it has no spaces", async () => {
    const text = "0123456789abcdef".repeat(1_000);
    const whole = o200k(text);
    expect(Math.abs((await count([text])) - whole) / whole).toBeLessThan(0.01);
  });

  it("lets others have their turn", async () => {
    let turns = 0;
    let over = false;
    const turn = () => {
      turns++;
      if (!over) setImmediate(turn);
    };
    await count([PROSE]);
    setImmediate(turn);
    await count([PROSE.repeat(270)]);
    over = true;
    expect(turns).toBeGreaterThan(2);
  });
});

describe("a request", () => {
  const GPT = { kind: "openai", model: "gpt-4o" };
  const counting = new Tokenizer();
  afterAll(() => counting.close());

  function input(request: MessageInitShape<typeof ChatRequestSchema>, target = GPT, signal?: AbortSignal) {
    return counting.countInput(create(ChatRequestSchema, request), target, signal);
  }

  it("is counted with the text files in it", async () => {
    const data = new TextEncoder().encode(PROSE);
    const file = { source: { case: "data", value: data }, mediaType: "text/plain" } as const;
    const bare = await input({ messages: [{ role: "user", content: "Read this:" }] });
    const parts = [{ part: { case: "file", value: file } }] as const;
    const whole = await input({ messages: [{ role: "user", content: "Read this:", parts: [...parts] }] });
    expect(whole).toBe((bare ?? 0) + o200k(PROSE));
  });

  it("is counted as OpenAI does, what stands around its messages included", async () => {
    // As it was recorded: gpt-4o read 14 tokens.
    const question = { role: "user", content: "What is the capital of Mexico?" };
    expect(await input({ messages: [question] })).toBe(14);
    expect(await input({ messages: [question, question] })).toBe(25);
  });

  it("is counted with all that was said", async () => {
    const none = (await input({ messages: [{ role: "user" }] })) ?? 0;
    const parts = [
      { part: { case: "text", value: "one two" } },
      { part: { case: "refusal", value: "one two" } },
      { part: { case: "reasoning", value: { text: "one two" } } },
    ] as const;
    const more = await input({ messages: [{ role: "user", content: "one two", parts: [...parts] }] });
    expect(more).toBe(none + 8);
    const call = { part: { case: "toolCall", value: { name: "one", arguments: " two" } } } as const;
    const result = { part: { case: "toolResult", value: { content: "one two" } } } as const;
    const called = await input({ messages: [{ role: "user", parts: [call, result] }] });
    expect(called).toBeGreaterThanOrEqual(none + 4);
  });

  it("is counted with its tools and its schema", async () => {
    const messages = [{ role: "user", content: "Hi" }];
    const bare = (await input({ messages })) ?? 0;
    const schema = JSON.stringify({ type: "object", properties: { city: { type: "string" } } });
    expect(await input({ messages, tools: [{ name: "weather", parametersJson: schema }] })).toBeGreaterThan(
      bare + 10,
    );
    const responseFormat = { type: "json_schema", name: "city", schemaJson: schema };
    expect(await input({ messages, responseFormat })).toBeGreaterThan(bare + 10);
  });

  it("is counted beside the event loop where it is long, to the last token", async () => {
    const text = PROSE.replace("\n", " ").repeat(5_000).trim();
    expect(await input({ messages: [{ role: "user", content: text }] })).toBe(o200k(text) + 7);
    const two = create(EmbedRequestSchema, { input: [text, "Hello world"] });
    const target = { kind: "openai", model: "text-embedding-3-small" };
    expect(await counting.countInput(two, target)).toBeGreaterThan(60_000);
  });

  it.each([
    ["claude", "claude-opus-5"],
    ["bedrock", "openai.gpt-oss-120b-1:0"],
    ["openai", "whatever"],
  ])("is not counted for %s/%s", async (kind, model) => {
    expect(await input({ messages: [{ role: "user", content: "Hi" }] }, { kind, model })).toBeUndefined();
  });

  it.each(["image", "file"] as const)("is not counted with an %s, which no tokenizer reads", async (kind) => {
    const value = { source: { case: "url", value: "https://example.com/a" } } as const;
    expect(
      await input({ messages: [{ role: "user", parts: [{ part: { case: kind, value } }] }] }),
    ).toBeUndefined();
  });

  it("is not counted when nobody waits for it any more, short or long", async () => {
    for (const times of [1, 1_000]) {
      const messages = [{ role: "user", content: PROSE.repeat(times) }];
      await expect(input({ messages }, GPT, AbortSignal.abort(new Error("gone")))).rejects.toThrow("gone");
    }
  });
});
