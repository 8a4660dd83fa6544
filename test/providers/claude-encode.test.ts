import { describe, expect, test } from "vitest";
import { BEDROCK, VERTEX } from "../../src/providers/claude/traits.ts";
import type { Wish } from "../../src/providers/dialect.ts";
import {
  call,
  encode,
  file,
  hello,
  type Init,
  image,
  message,
  piece,
  result,
  text,
  thought,
  wire,
} from "./claude-wire.ts";

describe("the limit on the answer, which Anthropic wants to be told", () => {
  const parameters = { maxTokens: 700 };
  test.each<[string, Init, Partial<Wish>, number]>([
    ["the gateway's", { parameters }, { maxTokens: 50, modelMaxTokens: 64_000 }, 50],
    ["the request's", { parameters }, { modelMaxTokens: 64_000 }, 700],
    ["the model's", {}, { modelMaxTokens: 64_000 }, 64_000],
    ["what every model can write", {}, {}, 4096],
  ])("is %s", (_, request, wish, expected) => {
    expect(encode(request, wish).max_tokens).toBe(expected);
  });
});

describe("what it can be told", () => {
  test("one answer, its usual heat, and both samplers of old", () => {
    expect(encode({ parameters: { temperature: 1, choices: 1 } })).not.toHaveProperty("temperature");
    const both = { temperature: 0.5, topP: 0.9 };
    const { temperature, top_p } = encode({ parameters: both }, { model: "claude-3-haiku-20240307" });
    expect([temperature, top_p]).toEqual([0.5, 0.9]);
    expect(encode({ parameters: { serviceTier: "standard_only" } }).service_tier).toBe("standard_only");
  });

  test("choices that need no word", () => {
    for (const toolChoice of ["", "auto", "none"])
      expect(encode({ toolChoice })).not.toHaveProperty("tool_choice");
    expect(encode({ tools: [{ name: "a" }] })).not.toHaveProperty("tool_choice");
    expect(encode({ responseFormat: { type: "text" } })).not.toHaveProperty("output_config");
  });

  test("one tool at a time, and a tool that takes nothing", () => {
    const { tools, tool_choice } = encode({
      tools: [{ name: "a", strict: true }],
      toolChoice: "a",
      parameters: { parallelToolCalls: false },
    });
    expect(tools).toEqual([{ name: "a", strict: true, input_schema: { type: "object", properties: {} } }]);
    expect(tool_choice).toEqual({ type: "tool", name: "a", disable_parallel_tool_use: true });
  });
});

describe("media", () => {
  const bytes = Uint8Array.of(1, 2, 3);
  test("go by address, by value, as a data URL and by id", () => {
    const parts = [
      image({ case: "data", value: bytes }, { mediaType: "image/png", detail: "auto" }),
      image({ case: "url", value: "data:image/png;charset=x;base64,AQID" }),
      image({ case: "fileId", value: "file_1" }),
      file({ case: "url", value: "https://example.com/a.pdf" }, { name: "a.pdf" }),
      file({ case: "fileId", value: "file_2" }),
      file({ case: "data", value: Buffer.from("Hé") }, { mediaType: "text/plain; charset=utf-8" }),
    ];
    const png = { type: "base64", media_type: "image/png", data: "AQID" };
    expect(encode({ messages: [message("user", ...parts)] }).messages[0].content).toEqual([
      { type: "image", source: png },
      { type: "image", source: png },
      { type: "image", source: { type: "file", file_id: "file_1" } },
      { type: "document", source: { type: "url", url: "https://example.com/a.pdf" }, title: "a.pdf" },
      { type: "document", source: { type: "file", file_id: "file_2" } },
      { type: "document", source: { type: "text", media_type: "text/plain", data: "Hé" } },
    ]);
  });
});

describe("marks for the prompt cache", () => {
  const mark = { type: "ephemeral" };
  test("stand at the piece, or behind the message's last one that can bear it", () => {
    const { messages, system } = encode({
      messages: [
        { role: "system", content: "One", parts: [{ part: text("Two") }], cache: {} },
        { role: "user", content: "Hi", parts: [{ part: text("Ho"), cache: { ttl: "1h" } }], cache: {} },
        {
          role: "assistant",
          parts: [
            { part: piece('{"type":"x"}'), cache: {} },
            { part: call({ id: "a", name: "b" }) },
            { part: thought({ text: "Hm", signature: "s" }) },
          ],
          cache: { ttl: "5m" },
        },
        {
          role: "tool",
          parts: [{ part: result({ toolCallId: "a", content: "Sun" }), cache: {} }],
        },
      ],
    });
    expect(system[0]).not.toHaveProperty("cache_control");
    expect(system[1]).toEqual({ type: "text", text: "Two", cache_control: mark });
    expect(messages[0].content).toEqual([
      { type: "text", text: "Hi" },
      { type: "text", text: "Ho", cache_control: { ...mark, ttl: "1h" } },
    ]);
    expect(messages[1].content).toEqual([
      { type: "x", cache_control: mark },
      { type: "tool_use", id: "a", name: "b", input: {}, cache_control: { ...mark, ttl: "5m" } },
      { type: "thinking", thinking: "Hm", signature: "s" },
    ]);
    expect(messages[2].content[0].cache_control).toEqual(mark);
  });
});

describe("JSON that came as text", () => {
  const odd = '{ "b":1, "2": {"z" :[1.0, 1e2]},"1":12345678901234567890, "b":"\\u00e9" }';
  test("stays as it is, to the byte", () => {
    const { body } = wire({
      messages: [...hello, message("assistant", call({ id: "a", name: "look", arguments: odd }))],
      tools: [{ name: "look", parametersJson: odd }],
      responseFormat: { type: "json_schema", schemaJson: odd },
    });
    for (const member of ["input", "input_schema", "schema"]) expect(body).toContain(`"${member}":${odd}`);
    expect(() => JSON.parse(body)).not.toThrow();
  });
});

describe("other platforms", () => {
  test("Vertex AI has the model in its path, and a version in the body", () => {
    const { path, body, headers } = wire({}, { model: "claude-sonnet-4-5@20250929", stream: true }, VERTEX);
    expect(path).toBe("/publishers/anthropic/models/claude-sonnet-4-5%4020250929:streamRawPredict");
    expect(JSON.parse(body)).toEqual({
      anthropic_version: "vertex-2023-10-16",
      max_tokens: 4096,
      messages: hello,
      stream: true,
    });
    expect(headers).toEqual({});
    expect(wire({}, { model: "a" }, VERTEX).path).toBe("/publishers/anthropic/models/a:rawPredict");
  });

  test("Bedrock too, and hears of a stream by its path alone", () => {
    const model = "anthropic.claude-haiku-4-5-20251001-v1:0";
    const { path, body } = wire({}, { model, stream: true }, BEDROCK);
    expect(path).toBe("/model/anthropic.claude-haiku-4-5-20251001-v1%3A0/invoke-with-response-stream");
    expect(JSON.parse(body)).toEqual({
      anthropic_version: "bedrock-2023-05-31",
      max_tokens: 4096,
      messages: hello,
    });
    expect(wire({}, { model: "a" }, BEDROCK).path).toBe("/model/a/invoke");
  });
});
