import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { ChatRequestSchema } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { geminiDialect } from "../../src/providers/gemini/dialect.ts";
import { geminiEmbeddings } from "../../src/providers/gemini/embeddings.ts";
import { geminiResource } from "../../src/providers/gemini/resource.ts";
import { violatedBy } from "../support/failure.ts";

type Init = MessageInitShape<typeof ChatRequestSchema>;
type MessageInit = NonNullable<Init["messages"]>[number];
type PartInit = NonNullable<NonNullable<MessageInit["parts"]>[number]["part"]>;

const hello = [{ role: "user", content: "Hello" }];
const OLDER = "gemini-2.5-flash";
const NEWER = "gemini-3.5-flash";
const { encode } = geminiDialect(geminiResource, () => geminiEmbeddings);

function wireOf(request: Init, model = OLDER) {
  const whole = create(ChatRequestSchema, { messages: hello, ...request });
  return encode(whole, { model, stream: false, maxTokens: undefined });
}

function bodyOf(request: Init, model = OLDER) {
  return JSON.parse(wireOf(request, model).body);
}

function refusedFor(request: Init, model = OLDER): string[] {
  return violatedBy(() => wireOf(request, model));
}

function message(role: string, ...parts: PartInit[]): MessageInit {
  return { role, parts: parts.map((part) => ({ part })) };
}

/** The second turn, after a question. */
function turnOf(...parts: PartInit[]) {
  return bodyOf({ messages: [...hello, message("assistant", ...parts)] }).contents[1];
}

const image = { case: "image", value: { source: { case: "url", value: "https://example.com/a" } } } as const;
const call = (id: string, args = "{}", name = "look") =>
  ({ case: "toolCall", value: { id, name, arguments: args } }) as const;
const result = (toolCallId: string, content = "Sun") =>
  ({ case: "toolResult", value: { toolCallId, content } }) as const;
const thought = { case: "reasoning", value: { text: "Hm" } } as const;
const seal = { case: "reasoning", value: { signature: "c2VhbA==" } } as const;
const text = { case: "text", value: "Hello" } as const;

describe("what Gemini cannot be told is refused by its name", () => {
  const cases: readonly (readonly [string, Init, string[]])[] = [
    ["an unknown role", { messages: [...hello, { role: "robot", content: "Hi" }] }, ["messages[1].role"]],
    ["instructions alone", { messages: [{ role: "system", content: "Be brief." }] }, ["messages"]],
    [
      "a result without its call",
      { messages: [...hello, message("tool", result("call_1"))] },
      ["messages[1].parts[0].tool_result.tool_call_id"],
    ],
    [
      "a result before its call",
      { messages: [message("tool", result("a")), message("assistant", call("a"))] },
      ["messages[0].parts[0].tool_result.tool_call_id"],
    ],
    [
      "an answer of a tool without a result",
      { messages: [...hello, { role: "tool", content: "Sun" }] },
      ["messages[1].parts"],
    ],
    [
      "a picture by the system",
      { messages: [...hello, message("system", image)] },
      ["messages[1].parts[0].image"],
    ],
    [
      "a picture by the assistant",
      { messages: [...hello, message("assistant", text, image)] },
      ["messages[1].parts[1].image"],
    ],
    ["thoughts of the user", { messages: [message("user", thought)] }, ["messages[0].parts[0].reasoning"]],
    ["an empty part", { messages: [message("user", { case: undefined })] }, ["messages[0].parts[0]"]],
    [
      "a call without id and name",
      { messages: [...hello, message("assistant", { case: "toolCall", value: {} })] },
      ["messages[1].parts[0].tool_call.id", "messages[1].parts[0].tool_call.name"],
    ],
    [
      "arguments that are cut off",
      { messages: [...hello, message("assistant", call("a", '{"x":'))] },
      ["messages[1].parts[0].tool_call.arguments"],
    ],
    [
      "arguments that are no object",
      { messages: [...hello, message("assistant", call("a", "[1]"))] },
      ["messages[1].parts[0].tool_call.arguments"],
    ],
    [
      "a call with free text",
      {
        messages: [
          ...hello,
          message("assistant", { case: "toolCall", value: { id: "a", name: "sum", input: "1+1" } }),
        ],
      },
      ["messages[1].parts[0].tool_call.input"],
    ],
    [
      "a piece that is no JSON",
      {
        messages: [
          ...hello,
          message("assistant", {
            case: "providerPart",
            value: { provider: "gemini", type: "executableCode", json: "{" },
          }),
        ],
      },
      ["messages[1].parts[0].provider_part.json"],
    ],
    [
      "bytes of no type",
      {
        messages: [
          message("user", { case: "image", value: { source: { case: "data", value: Uint8Array.of(1) } } }),
        ],
      },
      ["messages[0].parts[0].image.media_type"],
    ],
    [
      "a data URL that is not base64",
      {
        messages: [message("user", { case: "file", value: { source: { case: "url", value: "data:,Hi" } } })],
      },
      ["messages[0].parts[0].file.url"],
    ],
    [
      "media without a source",
      { messages: [message("user", { case: "image", value: {} })] },
      ["messages[0].parts[0].image"],
    ],
    [
      "how closely to look, for an older model",
      {
        messages: [message("user", { case: "image", value: { source: image.value.source, detail: "high" } })],
      },
      ["messages[0].parts[0].image.detail"],
    ],
    ["a free-text tool", { tools: [{ name: "sum", freeText: {} }] }, ["tools[0].free_text"]],
    [
      "a schema that is no JSON",
      { tools: [{ name: "a", parametersJson: "{" }] },
      ["tools[0].parameters_json"],
    ],
    ["a choice of a tool that is not there", { toolChoice: "look" }, ["tool_choice"]],
    [
      "an answer's schema that is no JSON",
      { responseFormat: { type: "json_schema", schemaJson: "no" } },
      ["response_format.schema_json"],
    ],
    ["a form of answer that nobody knows", { responseFormat: { type: "xml" } }, ["response_format.type"]],
    ["a seed of more than 32 bits", { parameters: { seed: 2147483648n } }, ["parameters.seed"]],
    ["six stops", { parameters: { stop: [..."abcdef"] } }, ["parameters.stop"]],
    ["one call at a time", { parameters: { parallelToolCalls: false } }, ["parameters.parallel_tool_calls"]],
    [
      "an effort that nobody knows",
      { parameters: { reasoningEffort: "xhigh" } },
      ["parameters.reasoning_effort"],
    ],
    [
      "an effort beside a budget",
      { parameters: { reasoningEffort: "low", reasoningBudgetTokens: 5 } },
      ["parameters.reasoning_effort"],
    ],
  ];
  test.each(cases)("%s", (_, request, fields) => {
    expect(refusedFor(request)).toEqual(fields);
  });

  test("a newer model that shall not think at all", () => {
    expect(refusedFor({ parameters: { reasoningEffort: "none" } }, NEWER)).toEqual([
      "parameters.reasoning_effort",
    ]);
    expect(bodyOf({ parameters: { reasoningEffort: "none" } }).generationConfig.thinkingConfig).toEqual({
      thinkingBudget: 0,
    });
  });
});

describe("turns", () => {
  test("of one role that follow each other are one; results stand apart from questions", () => {
    const { contents } = bodyOf({
      messages: [
        { role: "user", content: "One" },
        { role: "user", content: "two" },
        message("assistant", call("a")),
        message("assistant", call("b")),
        message("tool", result("a", "1")),
        message("tool", result("b", "2")),
        { role: "user", content: "And?" },
      ],
    });
    expect(
      contents.map(({ role, parts }: { role: string; parts: object[] }) => [role, parts.length]),
    ).toEqual([
      ["user", 2],
      ["model", 2],
      ["user", 2],
      ["user", 1],
    ]);
  });

  test("instructions go before the conversation, wherever they stand", () => {
    const body = bodyOf({
      messages: [...hello, { role: "developer", content: "Be brief." }, message("system", text)],
    });
    expect(body.systemInstruction).toEqual({ parts: [{ text: "Be brief." }, { text: "Hello" }] });
    expect(body.contents).toHaveLength(1);
  });

  test("a question of nothing is still a turn, and an answer of nothing is none", () => {
    const { contents } = bodyOf({ messages: [{ role: "user" }, { role: "assistant" }] });
    expect(contents).toEqual([{ role: "user", parts: [{ text: "" }] }]);
  });

  test("what only others understand is left out", () => {
    const foreign = { provider: "claude", type: "server_tool_use", json: "{}" };
    expect(
      turnOf(
        text,
        { case: "citation", value: { url: "https://example.com" } },
        { case: "providerPart", value: foreign },
        { case: "providerPart", value: { ...foreign, provider: "gemini", type: "groundingMetadata" } },
        { case: "reasoning", value: { redacted: "x" } },
      ),
    ).toEqual({ role: "model", parts: [{ text: "Hello" }] });
  });
});

describe("calls", () => {
  test("keep their arguments to the byte, and the ids that are not the gateway's own", () => {
    const odd = '{ "b":1, "2": {"z" :[1.0]},"1":null }';
    const { body } = wireOf({
      messages: [
        ...hello,
        message("assistant", call("call_1", odd), call("gemini-r-0", "")),
        message("tool", result("call_1"), result("gemini-r-0", "Rain")),
      ],
    });
    expect(body).toContain(`{"functionCall":{"name":"look","id":"call_1","args":${odd}}}`);
    expect(body).toContain('{"functionCall":{"name":"look","args":{}}}');
    expect(body).toContain('{"name":"look","response":{"output":"Sun"},"id":"call_1"}');
    expect(body).toContain('{"name":"look","response":{"output":"Rain"}}');
  });

  test("get their results in their own order, whichever came first", () => {
    const { contents } = bodyOf({
      messages: [
        ...hello,
        message("assistant", call("gemini-r-0"), call("gemini-r-1")),
        message("tool", result("gemini-r-1", "second")),
        message("tool", result("gemini-r-0", "first")),
      ],
    });
    const responses = contents[2].parts.map(
      ({ functionResponse }: { functionResponse: { response: object } }) => functionResponse.response,
    );
    expect(responses).toEqual([{ output: "first" }, { output: "second" }]);
  });

  test("of which the first must be signed for a newer model", () => {
    const messages = [...hello, message("assistant", call("a"), call("b"))];
    const [, turn] = bodyOf({ messages }, NEWER).contents;
    expect(turn.parts.map(({ thoughtSignature }: { thoughtSignature?: string }) => thoughtSignature)).toEqual(
      ["skip_thought_signature_validator", undefined],
    );
    const signed = message("assistant", { case: "toolCall", value: { ...call("a").value, signature: "s" } });
    expect(bodyOf({ messages: [...hello, signed] }, NEWER).contents[1].parts[0].thoughtSignature).toBe("s");
  });
});

describe("signatures", () => {
  test("of a text stand in it", () => {
    expect(turnOf(text, seal).parts).toEqual([{ text: "Hello", thoughtSignature: "c2VhbA==" }]);
  });

  test("of no text stand alone", () => {
    expect(turnOf(seal, text).parts).toEqual([{ text: "", thoughtSignature: "c2VhbA==" }, { text: "Hello" }]);
    expect(turnOf(thought, seal).parts[1]).toEqual({ text: "", thoughtSignature: "c2VhbA==" });
  });
});

describe("media", () => {
  const partOf = (source: object, model = OLDER, fields: object = {}) =>
    bodyOf({ messages: [message("user", { case: "image", value: { source, ...fields } as never })] }, model)
      .contents[0].parts[0];

  test.each([
    ["https://example.com/a.JPG?x=1", { fileUri: "https://example.com/a.JPG?x=1", mimeType: "image/jpeg" }],
    ["gs://bucket/a.pdf", { fileUri: "gs://bucket/a.pdf", mimeType: "application/pdf" }],
    ["https://www.youtube.com/watch?v=1", { fileUri: "https://www.youtube.com/watch?v=1" }],
  ])("%s is fetched by Google", (value, fileData) => {
    expect(partOf({ case: "url", value })).toEqual({ fileData });
  });

  test("a data URL is sent as bytes, and a file by its name", () => {
    expect(partOf({ case: "url", value: "data:image/png;charset=x;base64,AAAA" })).toEqual({
      inlineData: { mimeType: "image/png", data: "AAAA" },
    });
    expect(partOf({ case: "fileId", value: "files/1" })).toEqual({ fileData: { fileUri: "files/1" } });
  });

  test("a newer model can be told how closely to look", () => {
    const source = { case: "fileId", value: "files/1" };
    expect(partOf(source, NEWER, { detail: "low" }).mediaResolution).toEqual({
      level: "MEDIA_RESOLUTION_LOW",
    });
    expect(partOf(source, NEWER, { detail: "auto" })).not.toHaveProperty("mediaResolution");
  });
});

describe("extra_body", () => {
  test.each(["contents", "model"])("never sets %s", (field) => {
    expect(refusedFor({ extraBody: { [field]: 1 } })).toEqual([`extra_body.${field}`]);
  });

  test("sets no limit, in no spelling", () => {
    const extraBody = {
      generation_config: { max_output_tokens: 9, candidateCount: 9, response_logprobs: true },
    };
    expect(refusedFor({ extraBody })).toEqual([
      "extra_body.generationConfig.max_output_tokens",
      "extra_body.generationConfig.candidateCount",
    ]);
  });

  test("replaces nothing that the request sets", () => {
    const request: Init = {
      messages: [{ role: "system", content: "Be brief." }, ...hello],
      parameters: { temperature: 0, serviceTier: "flex" },
      tools: [{ name: "look" }],
      toolChoice: "look",
    };
    const extraBody = {
      system_instruction: {},
      toolConfig: {},
      serviceTier: "x",
      generationConfig: { temperature: 1 },
    };
    expect(refusedFor({ ...request, extraBody })).toEqual([
      "extra_body.generationConfig.temperature",
      "extra_body.system_instruction",
      "extra_body.toolConfig",
      "extra_body.serviceTier",
    ]);
  });

  test("goes in beside what the request sets", () => {
    const body = bodyOf({
      tools: [{ name: "look" }],
      parameters: { temperature: 0 },
      extraBody: {
        tools: [{ googleSearch: {} }],
        generationConfig: { responseModalities: ["TEXT"] },
        labels: { a: "b" },
      },
    });
    expect(body).toMatchObject({
      tools: [{ functionDeclarations: [{ name: "look" }] }, { googleSearch: {} }],
      generationConfig: { temperature: 0, responseModalities: ["TEXT"] },
      labels: { a: "b" },
    });
  });

  test("may be named as the properties of every object are", () => {
    const { body } = wireOf({ extraBody: JSON.parse('{"toString": 1, "__proto__": {"n": 5}}') });
    expect(body).toContain('"toString":1');
    expect(body).toContain('"__proto__":{"n":5}');
  });
});

describe("schemas that came as text", () => {
  const odd = '{ "b":1, "2": {"z" :[1.0, 1e2]},"1":null, "b":"\\u00e9" }';

  test("stay as they are, to the byte", () => {
    const { body } = wireOf({
      tools: [{ name: "look", parametersJson: odd }],
      responseFormat: { type: "json_schema", schemaJson: odd },
    });
    expect(body).toContain(`{"name":"look","parametersJsonSchema":${odd}}`);
    expect(body).toContain(`"responseJsonSchema":${odd}`);
    expect(() => JSON.parse(body)).not.toThrow();
  });
});

test("a tool that is strict is validated", () => {
  expect(bodyOf({ tools: [{ name: "a", strict: true }] }).toolConfig.functionCallingConfig.mode).toBe(
    "VALIDATED",
  );
  expect(bodyOf({ tools: [{ name: "a", strict: false }] })).not.toHaveProperty("toolConfig");
});

test.each([
  ["gemini-2.0-flash", "/models/gemini-2.0-flash"],
  ["models/gemini-2.0-flash", "/models/gemini-2.0-flash"],
  ["tunedModels/mine", "/tunedModels/mine"],
  ["../../v1/x?y", "/models/..%2F..%2Fv1%2Fx%3Fy"],
])("the model %s is at %s", (model, path) => {
  expect(wireOf({}, model).path).toBe(`${path}:generateContent`);
});
