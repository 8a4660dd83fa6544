import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { ChatRequestSchema } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { encodeChat } from "../../src/providers/openai/encode.ts";
import { createProvider } from "../../src/providers/registry.ts";
import { attemptCallOf } from "../support/call.ts";
import { violatedBy } from "../support/failure.ts";
import { answers, scriptedProvider, settingsOf } from "../support/provider.ts";

type Init = MessageInitShape<typeof ChatRequestSchema>;
type PartInit = NonNullable<NonNullable<NonNullable<Init["messages"]>[number]["parts"]>[number]["part"]>;

const hello = [{ role: "user", content: "Hello" }];
const WISH = { model: "gpt-4o", stream: false, maxTokens: undefined };
const TRAITS = { maxTokensField: "max_completion_tokens", streamUsage: true } as const;

function encode(request: Init): string {
  return encodeChat(create(ChatRequestSchema, { messages: hello, ...request }), WISH, TRAITS).body;
}

function refusedFor(request: Init): string[] {
  return violatedBy(() => encode(request));
}

function message(role: string, ...parts: PartInit[]): Init {
  return { messages: [{ role, parts: parts.map((part) => ({ part })) }] };
}

const image = {
  case: "image",
  value: { source: { case: "url", value: "https://example.com/a.png" } },
} as const;
const file = { case: "file", value: { source: { case: "fileId", value: "file-1" } } } as const;
const call = { case: "toolCall", value: { id: "call_1", name: "look" } } as const;
const result = { case: "toolResult", value: { toolCallId: "call_1", content: "Sun" } } as const;
const thought = { case: "reasoning", value: { text: "Hm" } } as const;
const refusal = { case: "refusal", value: "No." } as const;
const text = { case: "text", value: "Hello" } as const;

test("the ids of others' calls are made as short as OpenAI takes them", () => {
  const long = `chatcmpl-tool-${"0".repeat(32)}`;
  const messages = (["call_1", long] as const).flatMap((id) => [
    { role: "assistant", parts: [{ part: { ...call, value: { id, name: "look" } } }] },
    { role: "tool", parts: [{ part: { ...result, value: { toolCallId: id } } }] },
  ]);
  const ids = (traits: object) => {
    const request = create(ChatRequestSchema, { messages });
    const sent = JSON.parse(encodeChat(request, WISH, { ...TRAITS, ...traits }).body).messages;
    return sent.map((one: { tool_calls?: [{ id: string }]; tool_call_id?: string }) =>
      String(one.tool_calls?.[0].id ?? one.tool_call_id),
    );
  };
  expect(ids({})).toEqual(["call_1", "call_1", long, long]);
  const [a, b, c, d] = ids({ maxCallIdChars: 40 });
  expect([a, b, c]).toEqual(["call_1", "call_1", d]);
  expect(c).toMatch(/^call_[0-9a-f]{32}$/);
});

test("OpenAI itself is one that takes no longer ids", async () => {
  await using server = await scriptedProvider(answers(200, {}));
  const provider = createProvider(settingsOf("openai", { kind: "openai", baseUrl: server.origin }, ["k"]));
  const request = create(ChatRequestSchema, {
    messages: [
      { role: "assistant", parts: [{ part: { ...call, value: { id: "x".repeat(41), name: "a" } } }] },
    ],
  });
  const target = { provider: "openai", model: "gpt-4o" };
  await provider.serve(attemptCallOf({ request, target, streaming: false })).catch(() => {});
  await provider.close();
  expect(JSON.parse(server.requests[0]?.body ?? "").messages[0].tool_calls[0].id).toHaveLength(37);
});

describe("what OpenAI cannot be told is refused by its name", () => {
  const cases: readonly (readonly [string, Init, string[]])[] = [
    ["an unknown role", { messages: [{ role: "robot", content: "Hi" }] }, ["messages[0].role"]],
    [
      "an answer of a tool without a result",
      { messages: [{ role: "tool", content: "Sun" }] },
      ["messages[0].parts"],
    ],
    [
      "a result beside a text",
      { messages: [{ role: "tool", content: "Sun", parts: [{ part: result }] }] },
      ["messages[0].content"],
    ],
    ["a result beside a part", message("tool", result, text), ["messages[0].parts[1].text"]],
    ["a picture for the system", message("system", image), ["messages[0].parts[0].image"]],
    ["a picture by the assistant", message("assistant", text, image), ["messages[0].parts[1].image"]],
    ["a file for the developer", message("developer", file), ["messages[0].parts[0].file"]],
    ["a tool call by the user", message("user", call), ["messages[0].parts[0].tool_call"]],
    ["a tool result by the user", message("user", result), ["messages[0].parts[0].tool_result"]],
    ["thoughts of the user", message("user", thought), ["messages[0].parts[0].reasoning"]],
    ["a refusal of the system", message("system", refusal), ["messages[0].parts[0].refusal"]],
    ["an empty part", message("user", { case: undefined }), ["messages[0].parts[0]"]],
    [
      "a tool call without id and name",
      message("assistant", { case: "toolCall", value: { arguments: "{}" } }),
      ["messages[0].parts[0].tool_call.id", "messages[0].parts[0].tool_call.name"],
    ],
    [
      "a picture by its id",
      message("user", { case: "image", value: { source: { case: "fileId", value: "file-1" } } }),
      ["messages[0].parts[0].image.file_id"],
    ],
    [
      "a document by its address",
      message("user", {
        case: "file",
        value: { source: { case: "url", value: "https://example.com/a.pdf" } },
      }),
      ["messages[0].parts[0].file.url"],
    ],
    [
      "bytes of no type",
      message("user", { case: "image", value: { source: { case: "data", value: Uint8Array.of(1) } } }),
      ["messages[0].parts[0].image.media_type"],
    ],
    [
      "media without a source",
      message("user", { case: "image", value: {} }, { case: "file", value: {} }),
      ["messages[0].parts[0].image", "messages[0].parts[1].file"],
    ],
    ["a choice of a tool that is not there", { toolChoice: "look" }, ["tool_choice"]],
    [
      "a schema that is no JSON",
      { tools: [{ name: "a", parametersJson: "{" }] },
      ["tools[0].parameters_json"],
    ],
    [
      "a schema that is no object",
      { tools: [{ name: "a", parametersJson: "[]" }] },
      ["tools[0].parameters_json"],
    ],
    [
      "an answer's schema that is no JSON",
      { responseFormat: { type: "json_schema", schemaJson: "no" } },
      ["response_format.schema_json"],
    ],
    ["a form of answer that nobody knows", { responseFormat: { type: "xml" } }, ["response_format.type"]],
    [
      "a schema of a free-text tool",
      { tools: [{ name: "a", freeText: {}, parameters: {}, strict: true }] },
      ["tools[0].parameters", "tools[0].strict"],
    ],
    [
      "a schema as text of a free-text tool",
      { tools: [{ name: "a", freeText: {}, parametersJson: "{}" }] },
      ["tools[0].parameters_json"],
    ],
    [
      "a grammar in no language",
      { tools: [{ name: "a", freeText: { definition: "x" } }] },
      ["tools[0].free_text.syntax"],
    ],
    [
      "a language without a grammar",
      { tools: [{ name: "a", freeText: { syntax: "lark" } }] },
      ["tools[0].free_text.definition"],
    ],
    ["a seed beyond JSON", { parameters: { seed: 9007199254740993n } }, ["parameters.seed"]],
  ];
  test.each(cases)("%s", (_, request, fields) => {
    expect(refusedFor(request)).toEqual(fields);
  });

  test("all at once, each by its own place", () => {
    const wrong = { messages: [...hello, { role: "x" }, { role: "tool" }], toolChoice: "none of these" };
    expect(refusedFor(wrong)).toEqual(["messages[1].role", "messages[2].parts", "tool_choice"]);
  });
});

describe("extra_body", () => {
  test.each(["model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens", "n"])(
    "never sets %s",
    (field) => {
      expect(refusedFor({ extraBody: { [field]: 1 } })).toEqual([`extra_body.${field}`]);
    },
  );

  test("replaces nothing that the request sets", () => {
    const request: Init = {
      parameters: { temperature: 0, seed: 1n },
      tools: [{ name: "look" }],
      toolChoice: "look",
      responseFormat: { type: "text" },
    };
    const extraBody = { temperature: 1, seed: 2, tools: [], tool_choice: "auto", response_format: {} };
    expect(refusedFor({ ...request, extraBody })).toEqual(
      Object.keys(extraBody).map((field) => `extra_body.${field}`),
    );
    expect(refusedFor({ extraBody })).toEqual([]);
  });

  test("may be named as the properties of every object are", () => {
    const extraBody = JSON.parse('{"toString": 1, "__proto__": {"n": 5}}');
    const body = encode({ extraBody });
    expect(body).toContain('"toString":1');
    expect(body).toContain('"__proto__":{"n":5}');
  });
});

describe("JSON that came as text", () => {
  const odd = '{ "b":1, "2": {"z" :[1.0, 1e2]},"1":null, "b":"\\u00e9" }';

  test("stays as it is, to the byte, in a tool", () => {
    const body = encode({ tools: [{ name: "look", parametersJson: odd, strict: true }] });
    expect(body).toContain(`"function":{"name":"look","strict":true,"parameters":${odd}}`);
    expect(() => JSON.parse(body)).not.toThrow();
  });

  test("stays as it is, to the byte, in the form of the answer", () => {
    const body = encode({ responseFormat: { type: "json_schema", name: "a", schemaJson: odd } });
    expect(body).toContain(`"json_schema":{"name":"a","schema":${odd}}`);
    expect(() => JSON.parse(body)).not.toThrow();
  });

  test("cannot add fields to the body", () => {
    expect(
      refusedFor({ tools: [{ name: "look", parametersJson: '{}}}],"n":9,"x":[{"y":{"z":{}' }] }),
    ).toEqual(["tools[0].parameters_json"]);
  });
});
