/** What a conversation can hold besides text goes to the provider and comes back, by every way in. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { StreamResponse } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { CALLERS, type ChatInit } from "../support/callers.ts";
import { type GatewayUnderTest, startBoth } from "../support/gateway.ts";

let both: GatewayUnderTest;
beforeAll(async () => {
  both = await startBoth();
});
afterAll(() => both[Symbol.asyncDispose]());

const WEATHER = {
  name: "get_weather",
  description: "The weather in a city.",
  parameters: {
    type: "object",
    properties: { city: { type: "string" } },
    required: ["city"],
    additionalProperties: false,
  },
};

function ask(content: string, more: ChatInit = {}): ChatInit {
  return { messages: [{ role: "user", content }], model: "openai/gpt-4o", ...more };
}

describe.each(CALLERS)("$name", ({ at }) => {
  const conversation = () => at(both.url);

  test("a tool is called, and its result answered", async () => {
    const question = ask("Please call get_weather", { tools: [WEATHER], toolChoice: "auto" });
    const first = await conversation().chat(question);
    expect(first.finishReason).toBe("tool_calls");
    expect(first.response).toBe("");
    expect(first.toolCalls).toMatchObject([{ name: "get_weather", arguments: '{"city":"sample city"}' }]);
    const { id = "" } = first.toolCalls[0] ?? {};
    expect(id).toMatch(/^call_/);
    expect(first.message).toBeDefined();
    if (!first.message) return;
    const second = await conversation().chat({
      ...question,
      messages: [
        { role: "user", content: "Please call get_weather" },
        first.message,
        {
          role: "tool",
          parts: [{ part: { case: "toolResult", value: { toolCallId: id, content: "sunny" } } }],
        },
      ],
    });
    expect(second.finishReason).toBe("stop");
    expect(second.response).toMatch(/^This is the answer to "Please call get_weather"/);
  });

  test("a tool call streams in pieces", async () => {
    const events: StreamResponse[] = [];
    const request = ask("Please call get_weather", { tools: [WEATHER] });
    for await (const event of conversation().stream(request)) events.push(event);
    const pieces = events.flatMap(({ toolCall }) => (toolCall ? [toolCall] : []));
    expect(pieces[0]).toMatchObject({ index: 0, name: "get_weather" });
    expect(pieces.length).toBeGreaterThan(2);
    expect(pieces.map((piece) => piece.arguments ?? "").join("")).toBe('{"city":"sample city"}');
    expect(events.at(-1)).toMatchObject({ done: true, finishReason: "tool_calls" });
  });

  test("an answer keeps to a JSON schema", async () => {
    const schema = { type: "object", properties: { population: { type: "integer", minimum: 7 } } };
    const reply = await conversation().chat(
      ask("How many?", { responseFormat: { type: "json_schema", name: "count", schema, strict: true } }),
    );
    expect(JSON.parse(reply.response)).toEqual({ population: 7 });
  });

  test("an image is sent as an image", async () => {
    const text = { part: { case: "text", value: "What is this?" } } as const;
    const source = { case: "data", value: new Uint8Array([137, 80, 78, 71]) } as const;
    const image = { part: { case: "image", value: { source, mediaType: "image/png" } } } as const;
    const inputTokens = async (parts: NonNullable<NonNullable<ChatInit["messages"]>[number]["parts"]>) => {
      const reply = await conversation().chat({ ...ask(""), messages: [{ role: "user", parts }] });
      return reply.cost?.inputTokens ?? 0;
    };
    // The emulator counts an image as 85 tokens, whatever its bytes.
    expect(await inputTokens([text, image])).toBe((await inputTokens([text])) + 85);
  });

  test("several choices are told apart, and all of them paid for", async () => {
    const reply = await conversation().chat(ask("Three ideas?", { parameters: { choices: 3 } }));
    expect(reply.choices.map(({ index }) => index)).toEqual([0, 1, 2]);
    expect(new Set(reply.choices.map(({ message }) => message?.content)).size).toBeGreaterThan(1);
    expect(reply.choices[0]?.message?.content).toBe(reply.response);
    expect(reply.cost?.outputTokens).toBe(both.emulator.meter.requests.at(-1)?.outputTokens);

    const texts = ["", "", ""];
    const ends: string[] = [];
    for await (const event of conversation().stream(ask("Three ideas?", { parameters: { choices: 3 } }))) {
      const { index = 0, token = "", finishReason, done } = event;
      texts[index] += token;
      if (finishReason && !done) ends.push(`${index} ${finishReason}`);
    }
    expect(texts).toEqual(reply.choices.map(({ message }) => message?.content));
    expect(ends).toEqual(["0 stop", "1 stop", "2 stop"]);
  });
});
