/** How a body of OpenAI's batches becomes the gateway's request. */
import type { JsonValue } from "@bufbuild/protobuf";
import { toJson } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { decodeBody } from "../../../clients/cli/batch/request.ts";
import { ChatRequestSchema } from "../../../gen/ts/llmgateway/v1/chat_pb.ts";

type Body = Record<string, JsonValue>;

const PLAIN = { provider: "", extraBody: false };
const USER: Body[] = [{ role: "user", content: "Hello" }];
const decoded = (body: Body, options = PLAIN) =>
  toJson(ChatRequestSchema, decodeBody(body, options), { useProtoFieldName: true });

describe("decodeBody", () => {
  it("takes the parameters", () => {
    const body = {
      model: "gpt-4o",
      messages: USER,
      max_completion_tokens: 9,
      temperature: 0.5,
      top_p: 0.9,
      stop: "END",
      seed: 7,
      n: 2,
      metadata: { team: "search" },
      stream: false,
      logprobs: null,
    };
    expect(decoded(body)).toEqual({
      model: "gpt-4o",
      messages: USER,
      metadata: { team: "search" },
      parameters: { max_tokens: 9, temperature: 0.5, top_p: 0.9, stop: ["END"], seed: "7", choices: 2 },
    });
  });

  it("takes pictures, tools, their calls and their results", () => {
    const schema = { type: "object", properties: { z: {}, a: {} } };
    const body: Body = {
      messages: [
        {
          role: "user",
          content: [
            { type: "text", text: "Look" },
            { type: "image_url", image_url: { url: "https://example.com/a.png", detail: "low" } },
          ],
        },
        {
          role: "assistant",
          content: null,
          tool_calls: [{ id: "c1", type: "function", function: { name: "f", arguments: "{}" } }],
        },
        { role: "tool", tool_call_id: "c1", content: "42" },
      ],
      tools: [{ type: "function", function: { name: "f", description: "F", parameters: schema } }],
      tool_choice: { type: "function", function: { name: "f" } },
      response_format: { type: "json_schema", json_schema: { name: "s", schema, strict: true } },
    };
    expect(decoded(body)).toEqual({
      messages: [
        {
          role: "user",
          parts: [{ text: "Look" }, { image: { url: "https://example.com/a.png", detail: "low" } }],
        },
        { role: "assistant", parts: [{ tool_call: { id: "c1", name: "f", arguments: "{}" } }] },
        { role: "tool", parts: [{ tool_result: { tool_call_id: "c1", content: "42" } }] },
      ],
      tools: [{ name: "f", description: "F", parameters_json: JSON.stringify(schema) }],
      tool_choice: "f",
      response_format: { type: "json_schema", name: "s", schema_json: JSON.stringify(schema), strict: true },
      parameters: {},
    });
  });

  it("hands on what it does not know, and names the provider, where it is told to", () => {
    const options = { provider: "openai", extraBody: true };
    const body = { model: "gpt-4o", messages: USER, logprobs: true };
    expect(decoded(body, options)).toMatchObject({ model: "openai/gpt-4o", extra_body: { logprobs: true } });
    expect(decoded({ model: "claude/x", messages: USER }, options)).toMatchObject({ model: "claude/x" });
  });

  it.each<[string, Body, string]>([
    ["a field that it does not know", { messages: USER, user: "me" }, "user: the gateway does not know it"],
    ["a stream", { messages: USER, stream: true }, "stream: a batch does not stream"],
    ["no messages", { model: "m" }, "messages: are missing"],
    [
      "sound",
      { messages: [{ role: "user", content: [{ type: "input_audio" }] }] },
      "messages[0].content[0].type: must",
    ],
    [
      "a field of a message",
      { messages: [{ role: "user", content: "a", mood: "b" }] },
      "messages[0]: the gateway does not know mood",
    ],
    ["a number that is none", { messages: USER, temperature: "hot" }, "temperature"],
  ])("refuses %s", (_, body, words) => {
    expect(() => decodeBody(body, PLAIN)).toThrow(words);
  });
});
