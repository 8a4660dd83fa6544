import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { ChatRequestSchema } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { type Capabilities, CapabilitiesSchema } from "../../gen/ts/llmgateway/v1/gateway_pb.ts";
import { PartSchema } from "../../gen/ts/llmgateway/v1/message_pb.ts";
import { unmetNeeds } from "../../src/cost/capabilities.ts";

type Request = MessageInitShape<typeof ChatRequestSchema>;

const HELLO = { role: "user", content: "Hello" };
const image = create(PartSchema, {
  part: { case: "image", value: { source: { case: "url", value: "https://example.com/a.png" } } },
});
const file = create(PartSchema, {
  part: { case: "file", value: { source: { case: "fileId", value: "file-1" } } },
});

function fieldsUnmet(
  request: Request,
  can: MessageInitShape<typeof CapabilitiesSchema> = {},
  { streaming = false, ...limits }: { streaming?: boolean; contextWindowTokens?: number } = {},
) {
  const capabilities = create(CapabilitiesSchema, can);
  const chat = create(ChatRequestSchema, request);
  return unmetNeeds(chat, streaming, { capabilities, ...limits }).map(({ field }) => field);
}

type Ability = Exclude<keyof Capabilities, "$typeName" | "$unknown" | "regions">;

const EVERYTHING: Request = {
  messages: [
    { role: "system", content: "Be brief." },
    { role: "user", content: "Look:", parts: [image, file] },
    { role: "developer", content: "Now." },
  ],
  tools: [{ name: "weather" }],
  responseFormat: { type: "json_schema", schemaJson: "{}" },
  parameters: {
    temperature: 0.5,
    topP: 0.5,
    topK: 3,
    parallelToolCalls: true,
    reasoningEffort: "high",
    reasoningBudgetTokens: 5,
  },
};

describe("what a request needs of a model", () => {
  const CASES: readonly (readonly [Ability, readonly string[]])[] = [
    ["chat", ["model"]],
    ["streaming", ["stream"]],
    ["tools", ["tools"]],
    ["parallelToolCalls", ["parameters.parallel_tool_calls"]],
    ["jsonSchema", ["response_format"]],
    ["vision", ["messages[1].parts[0].image"]],
    ["files", ["messages[1].parts[1].file"]],
    ["systemMessages", ["messages[0].role", "messages[2].role"]],
    ["reasoning", ["parameters.reasoning_effort", "parameters.reasoning_budget_tokens"]],
    ["sampling", ["parameters.temperature", "parameters.top_p", "parameters.top_k"]],
  ];

  it.each(CASES)("%s", (ability, fields) => {
    expect(fieldsUnmet(EVERYTHING, { [ability]: false }, { streaming: true })).toEqual(fields);
    expect(fieldsUnmet(EVERYTHING, { [ability]: true }, { streaming: true })).toEqual([]);
  });

  it("is nothing where nothing is known", () => {
    expect(fieldsUnmet(EVERYTHING, {}, { streaming: true })).toEqual([]);
    expect(unmetNeeds(create(ChatRequestSchema, EVERYTHING), true, {})).toEqual([]);
  });

  it("is nothing but a chat for plain words, whatever else the model cannot do", () => {
    const nothing = Object.fromEntries(CASES.map(([ability]) => [ability, false]));
    expect(fieldsUnmet({ messages: [HELLO] }, { ...nothing, chat: true })).toEqual([]);
  });

  it.each<[string, Request["parameters"]]>([
    ["no thoughts wished for", { reasoningEffort: "none", reasoningBudgetTokens: 0 }],
    ["what holds in any case", { temperature: 1, topP: 1 }],
    ["one tool at a time", { parallelToolCalls: false }],
  ])("is not held to %s", (_, parameters) => {
    const can = { reasoning: false, sampling: false, parallelToolCalls: false };
    expect(fieldsUnmet({ messages: [HELLO], ...(parameters && { parameters }) }, can)).toEqual([]);
  });

  it.each(["text", "json_object"])("is no schema for %s", (type) => {
    expect(fieldsUnmet({ responseFormat: { type } }, { jsonSchema: false })).toEqual([]);
  });
});

it("is no more tokens than the model writes", () => {
  const ask = (maxTokens: number) =>
    unmetNeeds(create(ChatRequestSchema, { parameters: { maxTokens } }), false, { maxOutputTokens: 100 });
  expect(ask(100)).toEqual([]);
  expect(ask(101)).toMatchObject([
    { field: "parameters.max_tokens", lack: "writes 100 tokens at most", instead: "ask for no more" },
  ]);
});

describe("a conversation is too long", () => {
  const window = { contextWindowTokens: 10 };

  it("when it has more words than the model reads, wherever they stand", () => {
    const words = (count: number) => "word ".repeat(count);
    const text = create(PartSchema, { part: { case: "text", value: words(5) } });
    expect(fieldsUnmet({ messages: [{ content: words(5), parts: [text] }] }, {}, window)).toEqual([]);
    expect(fieldsUnmet({ messages: [{ content: words(6), parts: [text] }] }, {}, window)).toEqual([
      "messages",
    ]);
    expect(fieldsUnmet({ messages: [{ content: words(6) }, { content: words(5) }] }, {}, window)).toEqual([
      "messages",
    ]);
  });

  it("not when an estimate alone says so: many letters may be few tokens", () => {
    for (const content of ["x".repeat(10_000), " ".repeat(10_000), "a\n".repeat(10)]) {
      expect(fieldsUnmet({ messages: [{ content }] }, {}, window)).toEqual([]);
    }
  });
});
