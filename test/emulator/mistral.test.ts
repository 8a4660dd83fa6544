/** Mistral's format, asked by its official SDK, and what it refuses. */
import { Mistral } from "@mistralai/mistralai";
import type { ChatCompletionRequest, ContentChunk } from "@mistralai/mistralai/models/components";
import { describe, expect, test } from "vitest";
import { emulated, eventData, post, readJson } from "./emulated.ts";

const emulator = await emulated({ apiKey: "right" });
const url = `${emulator.url}/mistral`;
const sdk = (apiKey = "right") => new Mistral({ apiKey, serverURL: url });

const MODEL = "mistral-small-latest";
const ask = (content: string, more: Partial<ChatCompletionRequest> = {}): ChatCompletionRequest => ({
  model: MODEL,
  messages: [{ role: "user", content }],
  ...more,
});

const postChat = (fields: object) =>
  post(
    `${url}/v1/chat/completions`,
    { model: MODEL, messages: [{ role: "user", content: "Hi" }], ...fields },
    { headers: { authorization: "Bearer right" } },
  );

function textOf(content: string | readonly ContentChunk[] | null | undefined): string {
  if (typeof content === "string") return content;
  return (content ?? []).map((chunk) => ("text" in chunk ? chunk.text : "")).join("");
}

describe("chat", () => {
  test("tells the usage with the last word of all, whichever choice says it", async () => {
    const questions = Array.from({ length: 10 }, (_, index) => `Question ${index}`);
    const ends = questions.map(async (content) => {
      const messages = [{ role: "user", content }];
      const reply = await postChat({ messages, stream: true, n: 2 });
      const chunks = eventData(await reply.text())
        .slice(0, -1)
        .map((data) => JSON.parse(data));
      expect(chunks.filter(({ usage }) => usage).length).toBe(1);
      expect(chunks.at(-1).usage).toBeDefined();
      return chunks.at(-1).choices[0].index;
    });
    expect(new Set(await Promise.all(ends))).toEqual(new Set([0, 1]));
  });

  test.each([undefined, "low" as const])("streams what it says at once, with effort %s", async (effort) => {
    const request = ask("Hello", effort ? { reasoningEffort: effort } : {});
    const whole = await sdk().chat.complete(request);
    const content = whole.choices[0]?.message?.content;
    let streamed = "";
    let usage: unknown;
    for await (const { data } of await sdk().chat.stream(request)) {
      streamed += textOf(data.choices[0]?.delta.content);
      usage = data.usage ?? usage;
    }
    expect(textOf(content)).toMatch(/^This is the answer to "Hello"/);
    expect(streamed).toBe(textOf(content));
    expect(usage).toEqual(whole.usage);
    expect(emulator.meter.requests.at(-1)).toMatchObject({
      model: MODEL,
      stream: true,
      inputTokens: whole.usage.promptTokens,
      outputTokens: whole.usage.completionTokens,
    });
  });

  test("calls tools whole, under ids of nine characters", async () => {
    const tool = (name: string) => ({ type: "function" as const, function: { name, parameters: {} } });
    const request = ask("Use look and stop", { tools: [tool("look"), tool("stop")], toolChoice: "any" });
    const chunks: unknown[] = [];
    for await (const { data } of await sdk().chat.stream(request)) chunks.push(data.choices[0]);
    expect(chunks.at(-1)).toMatchObject({
      finishReason: "tool_calls",
      delta: {
        toolCalls: [
          { id: expect.stringMatching(/^[a-zA-Z0-9]{9}$/), function: { name: "look", arguments: "{}" } },
          { index: 1, function: { name: "stop" } },
        ],
      },
    });
    expect(chunks).toHaveLength(2);
  });

  test("pads every chunk but those that open", async () => {
    const reply = await postChat({ stream: true, n: 2 });
    expect(reply.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
    expect(reply.headers.get("mistral-correlation-id")).toBe(emulator.meter.requests.at(-1)?.id);
    const datas = eventData(await reply.text());
    expect(datas.pop()).toBe("[DONE]");
    const padded = datas.map((data) => typeof JSON.parse(data).p);
    expect(padded.slice(0, 2)).toEqual(["undefined", "undefined"]);
    expect(new Set(padded.slice(2))).toEqual(new Set(["string"]));
  });

  test.each([1, 2])(
    "bears the reason to finish when %d tokens are all that it may say",
    async (max_tokens) => {
      const datas = eventData(await (await postChat({ stream: true, max_tokens })).text());
      expect(JSON.parse(datas.at(-2) ?? "")).toMatchObject({
        choices: [{ finish_reason: "length" }],
        usage: { completion_tokens: max_tokens },
      });
    },
  );
});

describe("refuses", () => {
  const call = (id: string) => ({
    role: "assistant",
    content: "",
    tool_calls: [{ id, type: "function", function: { name: "look", arguments: "{}" } }],
  });
  const user = { role: "user", content: "Hi" };
  test.each<[string, object, number, object]>([
    ["an unknown model", { model: "no-such-model" }, 400, { code: "1500", type: "invalid_model" }],
    [
      "an id of another form",
      { messages: [user, call("call_1"), { role: "tool", tool_call_id: "call_1", content: "" }] },
      400,
      { code: "3280", message: "Tool call id was call_1 but must be a-z, A-Z, 0-9, with a length of 9." },
    ],
    [
      "a user behind a tool",
      { messages: [user, call("abcdefghi"), { role: "tool", tool_call_id: "abcdefghi", content: "" }, user] },
      400,
      { code: "3230", message: "Unexpected role 'user' after role 'tool'" },
    ],
    [
      "an answer that stands last",
      { messages: [user, { role: "assistant", content: "Yes" }] },
      400,
      { code: "3230", type: "invalid_request_message_order" },
    ],
    [
      "a field of OpenAI's",
      { stream_options: {} },
      422,
      { message: { detail: [{ type: "extra_forbidden", loc: ["body", "stream_options"] }] } },
    ],
    ["a missing model", { model: undefined }, 422, { message: { detail: [{ loc: ["body", "model"] }] } }],
    ["no messages", { messages: [] }, 422, { message: { detail: [{ loc: ["body", "messages"] }] } }],
  ])("%s", async (_, fields, status, error) => {
    const reply = await postChat(fields);
    expect(reply.status).toBe(status);
    expect(await readJson(reply)).toMatchObject({ object: "error", raw_status_code: status, ...error });
  });

  test("another key, as it was recorded", async () => {
    const reply = await post(`${url}/v1/chat/completions`, {}, { headers: { authorization: "Bearer x" } });
    expect(reply.status).toBe(401);
    expect(await readJson(reply)).toEqual({ detail: "Invalid API Key" });
  });

  test("a path that Mistral does not have", async () => {
    const reply = await fetch(`${url}/v1/nothing`, { headers: { authorization: "Bearer right" } });
    expect(reply.status).toBe(404);
    expect(await readJson(reply)).toEqual({ detail: "Not Found" });
  });
});

test("embeddings and models", async () => {
  const { data, usage } = await sdk().embeddings.create({ model: "mistral-embed", inputs: ["One", "Two"] });
  expect(data.map(({ embedding = [] }) => embedding.length)).toEqual([1024, 1024]);
  expect(usage.promptTokens).toBe(2);
  const models = await sdk().models.list();
  expect(models.data?.map((card) => "id" in card && card.id)).toContain(MODEL);
});

test.each([
  ["status=429 retry_after=2", 429, { message: "Requests rate limit exceeded" }],
  ["code=3505", 429, { code: "3505", type: "service_tier_capacity_exceeded" }],
  ["status=422", 422, { detail: [{ loc: ["body"] }] }],
  ["status=500", 500, { object: "error", type: "internal_server_error" }],
])("%s is spelt as Mistral spells it", async (directive, status, error) => {
  const messages = [{ role: "user", content: `[[emulate: ${directive}]] Hi` }];
  const reply = await postChat({ messages });
  expect(reply.status).toBe(status);
  expect(reply.headers.get("retry-after")).toBe(directive.includes("retry_after") ? "2" : null);
  expect(await readJson(reply)).toMatchObject(error);
});

test("the same seed gives the same bytes", async () => {
  const bytes = async () => {
    const fresh = await emulated({ seed: 7 });
    const fields = { stream: true, reasoning_effort: "high", messages: [{ role: "user", content: "Hi" }] };
    const reply = await post(`${fresh.url}/mistral/v1/chat/completions`, { model: MODEL, ...fields });
    return reply.text();
  };
  expect(await bytes()).toBe(await bytes());
});
