import type { ChatCompletionTool } from "openai/resources/chat/completions";
import { describe, expect, test } from "vitest";
import { sampleJson } from "../../src/emulator/sample.ts";
import { emulated, openAiClient } from "./emulated.ts";

const emulator = await emulated();
const { chat } = openAiClient(emulator);
const user = (content: string) => ({ role: "user" as const, content });

const weather: ChatCompletionTool = {
  type: "function",
  function: {
    name: "get_weather",
    parameters: {
      type: "object",
      properties: {
        city: { type: "string" },
        unit: { enum: ["celsius", "fahrenheit"] },
        days: { type: "integer", minimum: 3 },
      },
      required: ["city", "unit"],
    },
  },
};
const news: ChatCompletionTool = { type: "function", function: { name: "get_news" } };
const math: ChatCompletionTool = { type: "custom", custom: { name: "math_exp" } };
const tools = [weather, news, math];

describe("tools", () => {
  test("a call has the required arguments", async () => {
    const reply = await chat.completions.create({
      model: "gpt-4o",
      tools,
      messages: [user("Use get_weather")],
    });
    const [choice] = reply.choices;
    expect(choice).toMatchObject({ finish_reason: "tool_calls", message: { content: null } });
    const [call] = choice?.message.tool_calls ?? [];
    expect(call?.id).toMatch(/^call_[A-Za-z0-9]{24}$/);
    expect(call).toMatchObject({ type: "function", function: { name: "get_weather" } });
    const parsed = call?.type === "function" ? JSON.parse(call.function.arguments) : undefined;
    expect(parsed).toEqual({ city: "sample city", unit: "celsius" });
  });

  test.each([
    ["Use get_weather and get_news", {}, ["get_weather", "get_news"]],
    ["Use get_weather and get_news", { parallel_tool_calls: false }, ["get_weather"]],
    ["Use get_weather", { tool_choice: "none" as const }, []],
    ["Use get_weather_tomorrow", {}, []],
    ["Anything", { tool_choice: "required" as const }, ["get_weather"]],
    ["Use math_exp", {}, ["math_exp"]],
  ])("%s %o calls %o", async (content, fields, expected) => {
    const reply = await chat.completions.create({
      model: "gpt-4o",
      tools,
      messages: [user(content)],
      ...fields,
    });
    const calls = reply.choices[0]?.message.tool_calls ?? [];
    expect(calls.map((call) => (call.type === "custom" ? call.custom.name : call.function.name))).toEqual(
      expected,
    );
  });

  test("a call forced by name finishes with stop", async () => {
    const reply = await chat.completions.create({
      model: "gpt-4o",
      tools,
      tool_choice: { type: "function", function: { name: "get_news" } },
      messages: [user("Anything")],
    });
    expect(reply.choices[0]).toMatchObject({
      finish_reason: "stop",
      message: { tool_calls: [{ function: { name: "get_news", arguments: "{}" } }] },
    });
  });

  test("after a tool's result comes text", async () => {
    const call = { id: "call_1", type: "function" as const, function: { name: "get_news", arguments: "{}" } };
    const reply = await chat.completions.create({
      model: "gpt-4o",
      tools,
      messages: [
        user("Use get_news"),
        { role: "assistant", tool_calls: [call] },
        { role: "tool", tool_call_id: "call_1", content: "None." },
      ],
    });
    expect(reply.choices[0]).toMatchObject({
      finish_reason: "stop",
      message: { content: expect.any(String) },
    });
  });

  test("max_tokens may cut the arguments", async () => {
    const reply = await chat.completions.create({
      model: "gpt-4o",
      max_tokens: 3,
      tools,
      messages: [user("Use get_weather")],
    });
    expect(reply.choices[0]?.finish_reason).toBe("length");
    expect(reply.choices[0]?.message.tool_calls).toMatchObject([{ function: { arguments: '{"city":"s' } }]);
  });

  test("streamed calls come in pieces and make up the unary ones", async () => {
    const messages = [user("Use get_weather, get_news and math_exp")];
    const stream = await chat.completions.create({ model: "gpt-4o", tools, messages, stream: true });
    const calls: { id: string; name: string; text: string; pieces: number }[] = [];
    let finish: string | null | undefined;
    for await (const chunk of stream) {
      const [choice] = chunk.choices;
      finish = choice?.finish_reason ?? finish;
      for (const delta of choice?.delta.tool_calls ?? []) {
        calls[delta.index] ??= { id: "", name: "", text: "", pieces: 0 };
        const call = calls[delta.index];
        if (call === undefined) continue;
        call.id += delta.id ?? "";
        call.name += delta.function?.name ?? delta.custom?.name ?? "";
        call.text += delta.function?.arguments ?? delta.custom?.input ?? "";
        call.pieces += 1;
      }
    }
    expect(finish).toBe("tool_calls");
    expect(calls.map(({ name, text }) => [name, text])).toEqual([
      ["get_weather", '{"city":"sample city","unit":"celsius"}'],
      ["get_news", "{}"],
      ["math_exp", "sample math_exp"],
    ]);
    expect(new Set(calls.map((call) => call.id)).size).toBe(3);
    expect(calls[0]?.pieces).toBeGreaterThan(4);
    const pieces = calls.reduce((sum, call) => sum + call.pieces, 0);
    expect(emulator.meter.requests.at(-1)?.outputTokens).toBe(pieces);
  });

  test("a single streamed call opens in the role's chunk", async () => {
    const stream = await chat.completions.create({
      model: "gpt-4o",
      tools,
      messages: [user("Use get_news")],
      stream: true,
    });
    const [first] = await Array.fromAsync(stream);
    expect(first?.choices[0]?.delta).toMatchObject({
      role: "assistant",
      content: null,
      tool_calls: [{ index: 0, type: "function", function: { name: "get_news", arguments: "" } }],
    });
  });
});

describe("JSON", () => {
  test("json_object is valid JSON", async () => {
    const reply = await chat.completions.create({
      model: "gpt-4o",
      response_format: { type: "json_object" },
      messages: [user('Say "hi" in json 👋')],
    });
    expect(JSON.parse(reply.choices[0]?.message.content ?? "")).toEqual({ answer: 'Say "hi" in json 👋' });
  });

  test("json_schema has the schema's properties, in a stream too", async () => {
    const schema = {
      type: "object",
      properties: {
        title: { type: "string" },
        author: { $ref: "#/$defs/person" },
        tags: { type: "array", items: { type: "string" }, minItems: 2 },
        read: { type: "boolean" },
        rating: { type: ["number", "null"], minimum: 1.5 },
      },
      $defs: { person: { type: "object", properties: { name: { type: "string" } }, required: ["name"] } },
      required: ["title", "author", "tags", "read", "rating"],
    };
    const stream = await chat.completions.create({
      model: "gpt-4o",
      response_format: { type: "json_schema", json_schema: { name: "book", schema, strict: true } },
      messages: [user("A book")],
      stream: true,
    });
    let text = "";
    for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? "";
    expect(JSON.parse(text)).toEqual({
      title: "sample title",
      author: { name: "sample name" },
      tags: ["sample tags", "sample tags"],
      read: true,
      rating: 1.5,
    });
  });

  test.each([
    [{ const: 7 }, 7],
    [{ anyOf: [{ type: "integer" }, { type: "null" }] }, 1],
    [{ type: "string", format: "date" }, "2025-01-01"],
    [{ type: "string", maxLength: 3 }, "sam"],
    [{ type: "string", minLength: 16 }, "sample value...."],
    [{ type: "integer", exclusiveMinimum: 4 }, 5],
    [{ type: "number", maximum: -1 }, -1],
    [{ type: "integer", multipleOf: 5, minimum: 7 }, 10],
    [{ examples: ["Oslo"], type: "string" }, "Oslo"],
    [
      { allOf: [{ properties: { a: { default: 1 } } }, { properties: { b: { type: "null" } } }] },
      { a: 1, b: null },
    ],
    [true, "sample value"],
  ])("%o gives %o", (schema, expected) => {
    expect(sampleJson(schema, "all")).toEqual(expected);
  });

  test("a schema that contains itself comes to an end", () => {
    const tree = {
      type: "object",
      properties: { name: { type: "string" }, child: { $ref: "#" } },
      required: ["name"],
    };
    expect(sampleJson(tree, "required")).toEqual({ name: "sample name" });
    expect(JSON.stringify(sampleJson(tree, "all")).length).toBeLessThan(1_000);
    const endless = { properties: { child: { $ref: "#" } }, required: ["child"] };
    expect(JSON.stringify(sampleJson(endless, "required")).length).toBeLessThan(1_000);
  });
});
