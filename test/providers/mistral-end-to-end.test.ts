/** Mistral behind the whole gateway: the emulator, and a mock that others wrote. */
import { LLMock } from "@copilotkit/aimock";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ChatResponse, StreamResponse } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { CALLERS, type ChatInit, type Conversation } from "../support/callers.ts";
import { type GatewayUnderTest, startBoth } from "../support/gateway.ts";

const aimock = new LLMock({ port: 0 });
let both: GatewayUnderTest;
let conversation: Conversation;
beforeAll(async () => {
  aimock.on({ toolResultContains: "sunny" }, { content: "It is sunny." });
  aimock.onMessage("weather", { toolCalls: [{ name: "get_weather", arguments: '{"city":"Paris"}' }] });
  await aimock.start();
  both = await startBoth({
    providers: { mocked: { kind: "mistral", base_url: `${aimock.url}/v1` } },
  });
  const [caller] = CALLERS;
  if (!caller) throw new Error("nobody calls");
  conversation = caller.at(both.url);
});
afterAll(async () => {
  await both[Symbol.asyncDispose]();
  await aimock.stop();
});

const weather = {
  name: "get_weather",
  parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
};
const clock = { name: "get_time" };

function ask(content: string, more: ChatInit = {}): ChatInit {
  return { messages: [{ role: "user", content }], model: "mistral/mistral-small-latest", ...more };
}

async function streamed(request: ChatInit): Promise<StreamResponse[]> {
  const events: StreamResponse[] = [];
  for await (const event of conversation.stream(request)) events.push(event);
  return events;
}

function figuresOf({ attempts }: Pick<ChatResponse, "attempts">) {
  const { inputTokens = 0, outputTokens = 0, cachedInputTokens = 0 } = attempts[0]?.usage ?? {};
  return { inputTokens, outputTokens, cachedInputTokens };
}

describe("over the emulator", () => {
  test("a chat and a stream say the same, and count what the meter counted", async () => {
    const chat = await conversation.chat(ask("Hello"));
    expect(chat.response).toMatch(/^This is the answer to "Hello"/);
    expect(chat.finishReason).toBe("stop");
    expect(both.emulator.meter.requests.at(-1)).toMatchObject(figuresOf(chat));
    const events = await streamed(ask("Hello"));
    expect(events.map(({ token = "" }) => token).join("")).toBe(chat.response);
    const receipt = events.at(-1)?.receipt;
    expect(receipt && figuresOf(receipt)).toEqual(figuresOf(chat));
    expect(receipt?.attempts[0]?.usage?.provenance).toBe("measured");
  });

  test("thoughts come apart from the answer, and can be sent back", async () => {
    const question = ask("Think", { parameters: { reasoningEffort: "low" } });
    const chat = await conversation.chat(question);
    const events = await streamed(question);
    const [part] = chat.message?.parts ?? [];
    const thought = part?.part.case === "reasoning" ? part.part.value.text : "";
    expect(thought).toMatch(/^First I look/);
    expect(events.map(({ reasoning }) => reasoning?.text ?? "").join("")).toBe(thought);
    expect(events.map(({ token = "" }) => token).join("")).toBe(chat.response);
    const messages = [...(question.messages ?? []), chat.message ?? {}, { role: "user", content: "And?" }];
    expect((await conversation.chat({ ...question, messages })).finishReason).toBe("stop");
  });

  test("several tools are called at once, and answered under ids from elsewhere", async () => {
    const question = ask("Use get_weather and get_time", { tools: [weather, clock], toolChoice: "required" });
    const { toolCalls, finishReason } = await conversation.chat(question);
    expect(finishReason).toBe("tool_calls");
    expect(toolCalls.map(({ name }) => name)).toEqual(["get_weather", "get_time"]);
    for (const { id } of toolCalls) expect(id).toMatch(/^[a-zA-Z0-9]{9}$/);
    const calls = toolCalls.map((call, i) => ({ ...call, id: `toolu_${i}` }));
    const answered = await conversation.chat({
      ...question,
      toolChoice: "auto",
      messages: [
        ...(question.messages ?? []),
        { role: "assistant", parts: calls.map((value) => ({ part: { case: "toolCall", value } })) },
        {
          role: "tool",
          parts: calls.map(({ id }) => ({
            part: { case: "toolResult", value: { toolCallId: id, content: "ok" } },
          })),
        },
      ],
    });
    expect(answered.finishReason).toBe("stop");
  });

  test("the answer keeps to a schema", async () => {
    const schema = { type: "object", properties: { age: { type: "integer" } }, required: ["age"] };
    const { response } = await conversation.chat(
      ask("How old?", { responseFormat: { type: "json_schema", name: "person", schema } }),
    );
    expect(JSON.parse(response)).toEqual({ age: expect.any(Number) });
  });

  test("an answer that was begun is gone on with", async () => {
    const messages = [
      { role: "user", content: "Hello" },
      { role: "assistant", content: "This" },
    ];
    expect((await conversation.chat(ask("", { messages }))).finishReason).toBe("stop");
  });

  test("a caller who leaves ends the provider's work", async () => {
    const leaving = new AbortController();
    const slow = ask("[[emulate: interval_ms=1000]] Hello");
    const before = both.emulator.meter.totals().aborted;
    const { length } = both.emulator.meter.requests;
    await expect(async () => {
      for await (const event of conversation.stream(slow, { signal: leaving.signal }))
        if (event.token) leaving.abort();
    }).rejects.toThrow();
    await both.emulator.meter.ended(length + 1);
    expect(both.emulator.meter.totals().aborted).toBe(before + 1);
  });

  test.each([
    ["status=401", "provider_auth"],
    ["status=422", "provider_bad_request"],
    ["status=429 retry_after=2", "provider_rate_limited"],
    ["code=3505", "provider_overloaded"],
    ["code=1500", "model_not_found"],
    ["code=3051", "context_too_long"],
    ["status=500", "provider_error"],
    ["error_event=2", "provider_error"],
    ["cut=3", "cut"],
    ["no_done=1", "cut"],
    ["malformed=1", "malformed_reply"],
  ])("%s is %s", async (directive, kind) => {
    const id = `mistral-${directive.replaceAll(/\W/g, "-")}`;
    const call = async () => {
      const headers = new Headers({ "x-request-id": id });
      for await (const { error } of conversation.stream(ask(`[[emulate: ${directive}]] Hi`), { headers }))
        if (error) throw new Error(error.kind);
    };
    await expect(call).rejects.toThrow();
    expect(await both.log.about(id)).toMatchObject({ failure_kind: kind });
  });
});

test("a conversation with a tool over a mock that others wrote", async () => {
  const question = ask("weather", { model: "mocked/mistral-small-latest", tools: [weather] });
  const { message, toolCalls, finishReason } = await conversation.chat(question);
  expect(finishReason).toBe("tool_calls");
  expect(toolCalls).toMatchObject([{ name: "get_weather", arguments: '{"city":"Paris"}' }]);
  const result = { toolCallId: toolCalls[0]?.id ?? "", content: "sunny" };
  const { response } = await conversation.chat({
    ...question,
    messages: [
      ...(question.messages ?? []),
      message ?? {},
      { role: "tool", parts: [{ part: { case: "toolResult", value: result } }] },
    ],
  });
  expect(response).toBe("It is sunny.");
});
