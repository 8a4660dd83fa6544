import type { MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import type { ChatRequestSchema } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { RoutedCall } from "../../src/core/call.ts";
import { loadCatalog } from "../../src/cost/catalog.ts";
import { suit } from "../../src/layers/suit.ts";
import type { Models } from "../../src/routing/eligible.ts";
import { chatOf, replyOf, routedCallOf } from "../support/call.ts";

type Request = MessageInitShape<typeof ChatRequestSchema>;

const PRICE = { input_per_1k_tokens: 1, output_per_1k_tokens: 1 };
const catalog = loadCatalog(
  JSON.stringify({
    version: "1",
    last_updated: "2026-01-01",
    providers: {
      p: {
        small: {
          ...PRICE,
          max_output_tokens: 100,
          context_window_tokens: 10,
          capabilities: { tools: false, vision: false, reasoning: false, sampling: false },
        },
        unknown: PRICE,
        vectors: { ...PRICE, capabilities: { chat: false, embeddings: true, streaming: false } },
        chatty: {
          ...PRICE,
          max_output_tokens: 1,
          context_window_tokens: 1,
          capabilities: { embeddings: false },
        },
        toolless: { ...PRICE, capabilities: { vision: true, tools: false } },
        able: { ...PRICE, max_output_tokens: 1_000, capabilities: { vision: true, tools: true } },
      },
    },
  }),
  "test",
);

const models = (drops: boolean): Models => ({
  find: ({ provider, model }) => catalog.find(provider, model),
  drops: () => drops,
  offered: () => catalog.models().map((model) => [model.model, model]),
});

async function pass(request: Request, { drops = false, model = "small" } = {}) {
  const call = routedCallOf({
    request: { messages: [{ role: "user", content: "Hello" }], ...request },
    target: { provider: "p", model },
  });
  let below: RoutedCall | undefined;
  const failure = await suit(models(drops))(async (passed) => {
    below = passed;
    return replyOf([]);
  })(call).then(
    () => undefined,
    (error: unknown) => error,
  );
  return { call, below, failure };
}

describe("a request that its model cannot do", () => {
  it("goes nowhere: each field is named, with the fix and a model that could", async () => {
    const { failure, below } = await pass({ tools: [{ name: "t" }], parameters: { reasoningEffort: "low" } });
    expect(below).toBeUndefined();
    expect(failure).toMatchObject({
      kind: "invalid_request",
      violations: [
        {
          field: "tools",
          description: "p/small does not call tools; leave them out, or choose a model that calls tools",
        },
        {
          field: "parameters.reasoning_effort",
          description: "p/small does not think before it answers; leave it out, or choose a model that does",
        },
      ],
    });
  });

  it("is told a model that is known to do all of it", async () => {
    const image = {
      case: "image",
      value: { source: { case: "url", value: "https://example.com" } },
    } as const;
    const messages = [{ role: "user", parts: [{ part: image }] }];
    const { failure } = await pass({ messages });
    expect(failure).toMatchObject({
      message:
        "messages[0].parts[0].image: p/small does not look at images; choose a model with vision, such as toolless",
    });
    const both = await pass({ messages, tools: [{ name: "t" }] });
    expect(both.failure).toMatchObject({ message: expect.stringMatching(/, such as able \(and 1 more\)$/) });
  });

  it("is told a model that writes as much as was asked for", async () => {
    const { failure } = await pass({ parameters: { maxTokens: 500 } });
    expect(failure).toMatchObject({
      message:
        "parameters.max_tokens: p/small writes 100 tokens at most; ask for no more, or choose a model that writes more, such as able",
    });
  });

  it("is too long for it, by that kind of failure", async () => {
    const long = { messages: [{ role: "user", content: "word ".repeat(11) }] };
    const { failure } = await pass(long);
    expect(failure).toMatchObject({
      kind: "context_too_long",
      message: expect.stringContaining("messages: p/small reads 10 tokens at most"),
    });
    const other = await pass({ ...long, tools: [{ name: "t" }] });
    expect(other.failure).toMatchObject({ kind: "invalid_request" });
  });
});

describe("a request that its model can do, or is not known not to", () => {
  it.each([
    ["able", { tools: [{ name: "t" }] }],
    ["unknown", { tools: [{ name: "t" }], parameters: { temperature: 0.1 } }],
    ["of-no-catalog", { tools: [{ name: "t" }] }],
  ])("passes as it is: %s", async (model, request) => {
    const { call, below, failure } = await pass(request, { model, drops: true });
    expect(failure).toBeUndefined();
    expect(below).toBe(call);
    expect(call.tally.dropped).toEqual([]);
  });
});

describe("where what is not supported is dropped", () => {
  const drops = { drops: true };

  it("passes without what is advice, and says so; the caller's request stays", async () => {
    const parameters = { temperature: 0.5, seed: 7n, reasoningEffort: "high", maxTokens: 101 };
    const { call, below, failure } = await pass({ parameters }, drops);
    expect(failure).toBeUndefined();
    const less = below && chatOf(below);
    expect(less?.parameters).toMatchObject({ seed: 7n, reasoningEffort: "" });
    expect(less?.parameters?.temperature).toBeUndefined();
    expect(less?.parameters?.maxTokens).toBeUndefined();
    expect(call.tally.dropped).toEqual([
      "parameters.reasoning_effort",
      "parameters.temperature",
      "parameters.max_tokens",
    ]);
    expect(chatOf(call).parameters).toMatchObject(parameters);
  });

  it("is refused all the same for tools, and by what cannot be dropped alone", async () => {
    const request = { tools: [{ name: "t" }], parameters: { temperature: 0.5 } };
    const { call, below, failure } = await pass(request, drops);
    expect(below).toBeUndefined();
    expect(failure).toMatchObject({ kind: "invalid_request", violations: [{ field: "tools" }] });
    expect(call.tally.dropped).toEqual([]);
  });
});

describe("a request for embeddings", () => {
  const embed = (model: string) => {
    const call = routedCallOf({ embed: { input: ["Hello, world"] }, target: { provider: "p", model } });
    return suit(models(true))(async () => replyOf([]))(call);
  };

  it.each(["vectors", "unknown", "of-no-catalog"])("is for %s", async (model) => {
    await expect(embed(model)).resolves.toBeDefined();
  });

  it("goes nowhere when its model makes none, with one that does", async () => {
    await expect(embed("chatty")).rejects.toMatchObject({
      kind: "invalid_request",
      violations: [
        {
          field: "model",
          description: "p/chatty makes no embeddings; choose a model that does, such as vectors",
        },
      ],
    });
  });
});
