/** Anthropic's wire format, read by the official SDK and held against what was recorded. */
import Anthropic from "@anthropic-ai/sdk";
import type { MessageCreateParamsNonStreaming } from "@anthropic-ai/sdk/resources/messages";
import { describe, expect, test } from "vitest";
import { startEmulator } from "../../src/emulator/server.ts";
import { loadRecordings, type Recording, recordingsFolder } from "../recordings/recordings.ts";
import { emulated, isJson, post } from "./emulated.ts";
import { shapes } from "./shapes.ts";

const emulator = await emulated();
const base = `${emulator.url}/anthropic`;
const client = new Anthropic({ baseURL: base, apiKey: "test-key", maxRetries: 0 });
const weather = {
  name: "get_weather",
  input_schema: {
    type: "object" as const,
    properties: { city: { type: "string" } },
    required: ["city"],
  },
};

function asking(content: string, fields: object = {}): MessageCreateParamsNonStreaming {
  return {
    model: "claude-sonnet-5",
    max_tokens: 1024,
    messages: [{ role: "user", content }],
    stream: false,
    ...fields,
  };
}

function send(body: object, path = "/v1/messages"): Promise<Response> {
  return post(base + path, body);
}

/** The names of a stream's events, repeated ones once. */
function names(stream: string): string[] {
  const all = [...stream.matchAll(/^event: (.*)$/gm)].map(([, name = ""]) => name);
  return all.filter((name, place) => name !== all[place - 1]);
}

describe("a message", () => {
  test("is the same whole and streamed, and metered as it says", async () => {
    emulator.meter.reset();
    const whole = await client.messages.create(asking("What is new?"));
    const streamed = await client.messages.stream(asking("What is new?")).finalMessage();
    const { id: _, ...said } = whole;
    expect(streamed.content).toEqual(whole.content);
    expect(streamed).toMatchObject({ stop_reason: said.stop_reason, model: said.model });
    await emulator.meter.ended(2);
    for (const [index, { usage }] of [whole, streamed].entries()) {
      expect(emulator.meter.requests[index]).toMatchObject({
        inputTokens: usage.input_tokens,
        outputTokens: usage.output_tokens,
        outcome: "served",
      });
    }
  });

  test("names the dated model behind an alias", async () => {
    const { model } = await client.messages.create(asking("Hi", { model: "claude-haiku-4-5" }));
    expect(model).toBe("claude-haiku-4-5-20251001");
  });

  test("ends at max_tokens, and at a stop sequence that it names", async () => {
    const short = await client.messages.create(asking("Hi", { max_tokens: 3 }));
    expect(short).toMatchObject({ stop_reason: "max_tokens", usage: { output_tokens: 3 } });
    const stopped = await client.messages.create(asking("Hi", { stop_sequences: ["xyz", "answer"] }));
    expect(stopped).toMatchObject({ stop_reason: "stop_sequence", stop_sequence: "answer" });
    expect(stopped.content).toMatchObject([{ type: "text", text: "This is the " }]);
  });

  test("is JSON of a schema, by its name of today and of its beta", async () => {
    const schema = { type: "object", properties: { age: { type: "integer" } }, required: ["age"] };
    const format = { type: "json_schema", schema };
    for (const fields of [{ output_config: { format } }, { output_format: format }]) {
      const { content } = await client.messages.create(asking("Hi", fields));
      expect(content).toEqual([{ type: "text", text: expect.stringMatching(/^\{"age":\d+\}$/) }]);
    }
  });

  test("is declined when Anthropic's test string asks for it", async () => {
    const message = await client.messages.create(asking("ANTHROPIC_MAGIC_STRING_TRIGGER_REFUSAL_1"));
    expect(message).toMatchObject({ content: [], stop_reason: "refusal", stop_details: { type: "refusal" } });
  });

  test("comes from Vertex AI's path too, which names the model", async () => {
    const { model: _, ...body } = asking("Hi");
    const path = "/v1/projects/p/locations/l/publishers/anthropic/models/claude-sonnet-4-5%4020250929";
    const reply = await send({ ...body, anthropic_version: "vertex-2023-10-16" }, `${path}:rawPredict`);
    expect(await reply.json()).toMatchObject({ model: "claude-sonnet-4-5@20250929", type: "message" });
    const stream = await send({ ...body, stream: true }, `${path}:streamRawPredict`);
    expect(names(await stream.text()).at(-1)).toBe("message_stop");
  });
});

describe("thoughts", () => {
  test("come first, sealed, and are counted", async () => {
    const params = asking("Hi", { thinking: { type: "adaptive" }, output_config: { effort: "low" } });
    const { content, usage } = await client.messages.stream(params).finalMessage();
    expect(content.map(({ type }) => type)).toEqual(["thinking", "text"]);
    expect(usage.output_tokens_details).toEqual({ thinking_tokens: 64 });
    const again = { ...params.messages[0], content: "And now?", role: "user" as const };
    const messages = [...params.messages, { role: "assistant" as const, content }, again];
    expect(await client.messages.create({ ...params, messages })).toMatchObject({ type: "message" });
    const changed = content.map((block) =>
      block.type === "thinking" ? { ...block, thinking: "Hm." } : block,
    );
    await expect(
      client.messages.create({
        ...params,
        messages: [...params.messages, { role: "assistant", content: changed }, again],
      }),
    ).rejects.toThrow("messages.1.content.0: Invalid `signature` in `thinking` block");
  });

  test("are for Anthropic's eyes alone when its test string asks for it", async () => {
    const params = asking("ANTHROPIC_MAGIC_STRING_TRIGGER_REDACTED_THINKING_1", {
      model: "claude-haiku-4-5",
      max_tokens: 4096,
      thinking: { type: "enabled", budget_tokens: 1024 },
    });
    for (const message of [
      await client.messages.create(params),
      await client.messages.stream(params).finalMessage(),
    ]) {
      expect(message.content.map(({ type }) => type)).toEqual(["redacted_thinking", "text"]);
      expect(message.usage.output_tokens_details?.thinking_tokens).toBe(128);
    }
  });
});

describe("tools", () => {
  test("are called as they are named, each under an id of its own", async () => {
    const tools = [weather, { ...weather, name: "get_time" }];
    const params = asking("Use get_weather and get_time", { tools });
    const { content, stop_reason } = await client.messages.stream(params).finalMessage();
    expect(stop_reason).toBe("tool_use");
    expect(content).toMatchObject([
      { type: "tool_use", name: "get_weather", input: { city: "sample city" } },
      { type: "tool_use", name: "get_time", input: { city: "sample city" } },
    ]);
    const single = { type: "auto" as const, disable_parallel_tool_use: true };
    expect((await client.messages.create({ ...params, tool_choice: single })).content).toHaveLength(1);
    const results = content.map((block) => ({
      type: "tool_result",
      tool_use_id: block.type === "tool_use" ? block.id : "",
    }));
    const messages = [...params.messages, { role: "assistant", content }, { role: "user", content: results }];
    const answer = await client.messages.create(asking("", { tools, messages }));
    expect(answer).toMatchObject({ content: [{ type: "text" }], stop_reason: "end_turn" });
  });

  test("without parameters are called with nothing", async () => {
    const stop = { name: "stop", input_schema: { type: "object", properties: {} } };
    const body = asking("Hi", { tools: [stop], tool_choice: { type: "any" }, stream: true });
    const stream = await (await send(body)).text();
    expect(stream.match(/"input_json_delta","partial_json":"(.*?)"/g)).toEqual([
      '"input_json_delta","partial_json":""',
    ]);
  });

  test("are cut off without an end", async () => {
    const body = asking("Hi", {
      tools: [weather],
      tool_choice: { type: "any" },
      stream: true,
      max_tokens: 2,
    });
    const stream = await (await send(body)).text();
    expect(names(stream)).not.toContain("content_block_stop");
    expect(stream).toContain('"stop_reason":"max_tokens"');
  });
});

describe("the prompt cache", () => {
  test("keeps what is marked, for as long as it is told", async () => {
    const system = [{ type: "text", text: "Handbook. ".repeat(600) }];
    const unmarked = await client.messages.create(asking("Hi", { system }));
    expect(unmarked.usage).toMatchObject({ cache_creation_input_tokens: 0, cache_read_input_tokens: 0 });
    const cache_control = { type: "ephemeral", ttl: "1h" };
    const marked = asking("Hi", { system: system.map((block) => ({ ...block, cache_control })) });
    const written = await client.messages.create(marked);
    const { cache_creation_input_tokens: count } = written.usage;
    expect(count).toBeGreaterThan(1024);
    expect(written.usage.cache_creation).toEqual({
      ephemeral_5m_input_tokens: 0,
      ephemeral_1h_input_tokens: count,
    });
    const read = await client.messages.create(marked);
    expect(read.usage).toMatchObject({ cache_creation_input_tokens: 0, cache_read_input_tokens: count });
  });
});

describe("what Anthropic refuses", () => {
  const haiku = { model: "claude-haiku-4-5" };
  const cases: readonly (readonly [string, object, number, string])[] = [
    ["no limit", { max_tokens: undefined }, 400, "max_tokens: Field required"],
    ["a limit of nothing", { max_tokens: 0 }, 400, "max_tokens: Input should be greater than or equal to 1"],
    ["no model", { model: undefined }, 400, "model: Field required"],
    ["a model that is none", { model: "claude-unknown-1" }, 404, "model: claude-unknown-1"],
    ["no messages", { messages: undefined }, 400, "messages: Field required"],
    ["no list of messages", { messages: "Hi" }, 400, "messages: Input should be a valid array"],
    ["no message", { messages: [] }, 400, "messages: at least one message is required"],
    [
      "an assistant who begins",
      { messages: [{ role: "assistant", content: "Hi" }] },
      400,
      'messages: first message must use the "user" role',
    ],
    [
      "another role",
      { messages: [{ role: "system", content: "Hi" }] },
      400,
      "messages.0.role: Input should be 'user' or 'assistant'",
    ],
    [
      "an empty message",
      { messages: [{ role: "user", content: "" }] },
      400,
      "messages.0: all messages must have non-empty content",
    ],
    [
      "an empty text",
      { messages: [{ role: "user", content: [{ type: "text", text: "" }] }] },
      400,
      "messages: text content blocks must be non-empty",
    ],
    [
      "a result without its call",
      { messages: [{ role: "user", content: [{ type: "tool_result", tool_use_id: "a" }] }] },
      400,
      "messages.0.content.0: unexpected `tool_use_id`",
    ],
    [
      "arguments that are no object",
      {
        messages: [
          { role: "user", content: "Hi" },
          { role: "assistant", content: [{ type: "tool_use", id: "a", name: "b", input: "{}" }] },
        ],
      },
      400,
      "messages.1.content.0.tool_use.input: Input should be a valid dictionary",
    ],
    ["a choice without tools", { tool_choice: { type: "auto" } }, 400, "tool_choice: `tool_choice` may only"],
    ["a tool without a schema", { tools: [{ name: "a" }] }, 400, "tools.0.custom.input_schema.type: Field"],
    ["sampling by a new model", { temperature: 0.5 }, 400, "`temperature` is deprecated for this model."],
    [
      "a budget of a new model",
      { thinking: { type: "enabled", budget_tokens: 1024 } },
      400,
      '"thinking.type.enabled" is not supported for this model.',
    ],
    [
      "a budget that is too small",
      { ...haiku, thinking: { type: "enabled", budget_tokens: 1000 } },
      400,
      "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024",
    ],
    [
      "a budget beyond the limit",
      { ...haiku, thinking: { type: "enabled", budget_tokens: 2048 } },
      400,
      "`max_tokens` must be greater than `thinking.budget_tokens`.",
    ],
    [
      "an effort of an old model",
      { ...haiku, thinking: { type: "adaptive" } },
      400,
      "adaptive thinking is not supported on this model",
    ],
    [
      "thoughts at another temperature",
      { ...haiku, max_tokens: 2048, temperature: 0, thinking: { type: "enabled", budget_tokens: 1024 } },
      400,
      "`temperature` may only be set to 1 when thinking is enabled or in adaptive mode.",
    ],
    ["an effort that is none", { output_config: { effort: "minimal" } }, 400, "output_config.effort: Input"],
    [
      "a directive that is none",
      { messages: [{ role: "user", content: "[[emulate: x=1]]" }] },
      400,
      "Unknown",
    ],
  ];
  test.each(cases)("%s", async (_, fields, status, message) => {
    const reply = await send(asking("Hi", fields));
    expect(reply.status).toBe(status);
    expect(await reply.json()).toMatchObject({
      type: "error",
      error: {
        type: status === 404 ? "not_found_error" : "invalid_request_error",
        message: expect.stringContaining(message),
      },
      request_id: reply.headers.get("request-id"),
    });
  });

  test("a body that is no JSON", async () => {
    expect((await post(`${base}/v1/messages`, "{")).status).toBe(400);
  });

  test("a key that is not the right one, wherever it stands", async () => {
    const guarded = await startEmulator({ apiKey: "right-key" });
    const url = `${guarded.url}/anthropic/v1/models`;
    const statuses = [
      await fetch(url),
      await fetch(url, { headers: { "x-api-key": "wrong" } }),
      await fetch(url, { headers: { "x-api-key": "right-key" } }),
      await fetch(url, { headers: { authorization: "Bearer right-key" } }),
    ].map(({ status }) => status);
    expect(statuses).toEqual([401, 401, 200, 200]);
    await guarded.close();
  });
});

describe("models", () => {
  test("are listed, and told one by one", async () => {
    const page = await client.models.list();
    expect(page.data.map(({ id }) => id)).toContain("claude-sonnet-5");
    expect(await client.models.retrieve("claude-opus-5")).toMatchObject({ display_name: "Claude Opus 5" });
    await expect(client.models.retrieve("no-such-model")).rejects.toThrow("model: no-such-model");
  });
});

describe("faults", () => {
  const fault = (directive: string, fields: object = {}) =>
    send(asking(`Hi [[emulate: ${directive}]]`, fields));

  test.each([
    ["status=429 retry_after=2", 429, "rate_limit_error", "true"],
    ["status=500", 500, "api_error", "true"],
    ["status=503", 503, "api_error", "true"],
    ["status=418", 418, "invalid_request_error", "false"],
    ["code=overloaded_error", 529, "overloaded_error", "true"],
    ["code=enforced_spend_limit_reached", 429, "rate_limit_error", "false"],
    ["code=prompt_too_long", 400, "invalid_request_error", "false"],
    ["code=request_too_large", 413, "request_too_large", "false"],
    ["code=something_else", 400, "invalid_request_error", "false"],
  ])("%s", async (directive, status, type, retry) => {
    const reply = await fault(directive, { stream: true });
    expect(reply.status).toBe(status);
    expect(reply.headers.get("content-type")).toBe("application/json");
    expect(reply.headers.get("x-should-retry")).toBe(retry);
    expect(reply.headers.get("retry-after")).toBe(directive.includes("retry_after") ? "2" : null);
    expect(await reply.json()).toMatchObject({ type: "error", error: { type } });
  });

  test("an error inside a stream, and inside a whole reply", async () => {
    const stream = await (await fault("error_event=2", { stream: true })).text();
    expect(names(stream).at(-1)).toBe("error");
    expect(stream.match(/text_delta/g)).toHaveLength(2);
    expect(stream).toContain('"error":{"type":"overloaded_error","message":"Overloaded"}');
    const whole = await fault("error_event=0 code=api_error");
    expect(whole.status).toBe(200);
    expect(await whole.json()).toMatchObject({ type: "error", error: { type: "api_error" } });
  });

  test("a stream without an end, or without figures", async () => {
    const open = names(await (await fault("no_done=1", { stream: true })).text());
    expect(open).not.toContain("message_delta");
    expect(open.at(-1)).toBe("content_block_stop");
    const bare = await (await fault("no_usage=1", { stream: true })).text();
    expect(names(bare).at(-1)).toBe("message_stop");
    expect(bare).not.toContain('"usage"');
  });

  test("events twice, and JSON that is none", async () => {
    const twice = await (await fault("duplicate=1 tokens=2", { stream: true })).text();
    expect(twice.match(/text_delta/g)).toHaveLength(4);
    const broken = await (await fault("malformed=1", { stream: true })).text();
    const datas = [...broken.matchAll(/^data: (.*)$/gm)].map(([, data = ""]) => data);
    expect(datas.filter((data) => !isJson(data))).toHaveLength(1);
  });
});

test("the same seed gives the same bytes", async () => {
  const run = async (seed: number) => {
    const fresh = await startEmulator({ seed });
    const texts: string[] = [];
    for (const stream of [true, false])
      texts.push(await (await post(`${fresh.url}/v1/messages`, { ...asking("Hi"), stream })).text());
    await fresh.close();
    return texts;
  };
  const [first, second, other] = [await run(7), await run(7), await run(8)];
  expect(second).toEqual(first);
  for (const [index, text] of other.entries()) expect(text).not.toBe(first[index]);
});

/** Recorded requests that the emulator is to answer in the recorded shape; with what is changed in them. */
const CASES: Readonly<Record<string, object>> = {
  "stream-json-schema": {},
  "stream-stop-sequence-prefill": { messages: [{ role: "user", content: "Hi" }], stop_sequences: ["answer"] },
  "stream-thinking-then-tool": {},
  "stream-tool-call-no-arguments": {},
  "error-401": {},
};

const folder = recordingsFolder();

if (folder === undefined) {
  test("no recordings were found", () => {
    expect(process.env.CI, "CI must compare with the recordings").not.toBe("true");
  });
} else {
  const recordings = loadRecordings(folder, ["anthropic"]);
  describe("the emulator answers in the shape that was recorded", () => {
    test.each(Object.entries(CASES))("%s", async (name, changes) => {
      const recording = recordings.find((one) => one.name === name);
      if (recording === undefined) throw new Error(`no recording ${name}`);
      await compare(recording, changes);
    });
  });
}

async function compare({ request, meta, body }: Recording, changes: object): Promise<void> {
  const guarded = await startEmulator(meta.status === 401 ? { apiKey: "right-key" } : {});
  const tools = { tool_choice: { type: "any" } };
  const asked = JSON.parse(request ?? "{}");
  const sent = { ...asked, ...(asked.tools ? tools : {}), ...changes };
  const reply = await post(`${guarded.url}/v1/messages`, sent);
  expect(reply.status).toBe(meta.status);
  expect(reply.headers.get("content-type")).toBe(meta.content_type);
  expect(shapes(await reply.text())).toEqual(shapes(body.toString("utf8")));
  await guarded.close();
}
