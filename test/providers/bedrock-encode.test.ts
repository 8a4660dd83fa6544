import { create } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { ChatRequestSchema } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { encodeChat } from "../../src/providers/bedrock/encode.ts";
import { modelName } from "../../src/providers/bedrock/model.ts";
import type { Wish } from "../../src/providers/dialect.ts";
import { violatedBy } from "../support/failure.ts";
import { MODEL as CLAUDE, NOVA } from "./bedrock-golden.ts";
import {
  call,
  file,
  hello,
  type Init,
  image,
  message,
  type PartInit,
  piece,
  result,
  text,
  thought,
} from "./claude-wire.ts";

const LLAMA = "us.meta.llama3-3-70b-instruct-v1:0";
const OPAQUE = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123";

function wire(request: Init, model: string, wish: Partial<Wish> = {}) {
  const full = create(ChatRequestSchema, { messages: hello, ...request });
  return encodeChat(full, { model, stream: false, maxTokens: undefined, ...wish });
}

function encode(request: Init, model: string = NOVA, wish: Partial<Wish> = {}) {
  return JSON.parse(wire(request, model, wish).body);
}

function refusedFor(request: Init, model: string = NOVA): string[] {
  return violatedBy(() => wire(request, model));
}

const behind = (role: string, ...parts: PartInit[]): Init => ({
  messages: [...hello, message(role, ...parts)],
});
const data = { case: "data", value: Buffer.from("Hi") };
const url = (value: string) => ({ case: "url", value });

describe("what Converse cannot be told is refused by its name", () => {
  const at = (field: string) => [`messages[1].${field}`];
  const cases: readonly [string, Init, string[], string?][] = [
    ["an unknown role", { messages: [...hello, { role: "robot", content: "Hi" }] }, at("role")],
    ["nothing to answer", { messages: [{ role: "system", content: "Hi" }] }, ["messages"]],
    ["an empty question", { messages: [...hello, { role: "user" }] }, at("content")],
    ["a tool without a result", { messages: [...hello, { role: "tool", content: "Sun" }] }, at("parts")],
    ["a picture by the assistant", behind("assistant", image(data)), at("parts[0].image")],
    ["a picture for the system", behind("system", image(data)), at("parts[0].image")],
    [
      "a picture from the web",
      behind("user", image(url("https://a/b.png"))),
      [...at("parts[0].image.url"), ...[]],
    ],
    [
      "a picture by its id",
      behind("user", image({ case: "fileId", value: "f" }, { mediaType: "image/png" })),
      at("parts[0].image.file_id"),
    ],
    [
      "a picture without a source",
      behind("user", image({ case: undefined }, { mediaType: "image/png" })),
      at("parts[0].image"),
    ],
    [
      "a picture of a type unknown",
      behind("user", image(data, { mediaType: "image/tiff" })),
      at("parts[0].image.media_type"),
    ],
    ["a picture of no type", behind("user", image(data)), at("parts[0].image.media_type")],
    [
      "a picture at low detail",
      behind("user", image(data, { mediaType: "image/png", detail: "low" })),
      at("parts[0].image.detail"),
    ],
    [
      "a document of a type unknown",
      behind("user", file(data, { mediaType: "audio/wav" })),
      at("parts[0].file.media_type"),
    ],
    ["an empty part", behind("assistant", { case: undefined }), at("parts[0]")],
    [
      "a call of nobody",
      behind("assistant", call({})),
      [...at("parts[0].tool_call.id"), ...at("parts[0].tool_call.name")],
    ],
    [
      "arguments cut off",
      behind("assistant", call({ id: "a", name: "b", arguments: '{"x"' })),
      at("parts[0].tool_call.arguments"),
    ],
    [
      "input of a free-text tool",
      behind("assistant", call({ id: "a", name: "b", input: "1" })),
      at("parts[0].tool_call.input"),
    ],
    [
      "a piece of its own that is no JSON",
      behind("assistant", piece("{", "bedrock")),
      at("parts[0].provider_part.json"),
    ],
    ["a mark on nothing", { messages: [...hello, { role: "assistant", cache: {} }] }, at("cache")],
    [
      "a mark on an empty part",
      { messages: [...hello, { role: "assistant", parts: [{ part: text(""), cache: {} }] }] },
      at("parts[0].cache"),
    ],
    ["a free-text tool", { tools: [{ name: "a", freeText: {} }] }, ["tools[0].free_text"]],
    [
      "a schema that is no JSON",
      { tools: [{ name: "a", parametersJson: "[" }] },
      ["tools[0].parameters_json"],
    ],
    ["a choice of a tool that is not there", { tools: [{ name: "a" }], toolChoice: "b" }, ["tool_choice"]],
    [
      "no tool after one was called",
      { ...behind("assistant", call({ id: "a", name: "b" })), tools: [{ name: "b" }], toolChoice: "none" },
      ["tool_choice"],
    ],
    ["a form of answer that nobody knows", { responseFormat: { type: "xml" } }, ["response_format.type"]],
    [
      "an answer's schema that is no JSON",
      { responseFormat: { type: "json_schema", schemaJson: "no" } },
      ["response_format.schema_json"],
    ],
    ["the likeliest tokens of Llama", { parameters: { topK: 5 } }, ["parameters.top_k"], LLAMA],
    ["the likeliest tokens of who knows whom", { parameters: { topK: 5 } }, ["parameters.top_k"], OPAQUE],
    [
      "a budget to think of Llama",
      { parameters: { reasoningBudgetTokens: 2000 } },
      ["parameters.reasoning_budget_tokens"],
      LLAMA,
    ],
    [
      "a budget to think for a Claude that does not",
      { parameters: { reasoningBudgetTokens: 2000 } },
      ["parameters.reasoning_budget_tokens"],
      "anthropic.claude-3-haiku-20240307-v1:0",
    ],
  ];
  test.each(cases)("%s", (_, request, fields, model) => {
    expect(refusedFor(request, model)[0]).toBe(fields[0]);
    for (const field of fields) expect(refusedFor(request, model)).toContain(field);
  });

  test.each(["modelId", "messages", "system", "inferenceConfig", "serviceTier"])("extra_body.%s", (field) => {
    expect(refusedFor({ extraBody: { [field]: {} } })).toEqual([`extra_body.${field}`]);
  });

  test.each(["max_tokens", "maxTokenCount", "inferenceConfig", "n"])(
    "extra_body.additionalModelRequestFields.%s",
    (field) => {
      expect(refusedFor({ extraBody: { additionalModelRequestFields: { [field]: 1 } } })).toEqual([
        `extra_body.additionalModelRequestFields.${field}`,
      ]);
    },
  );

  test("what the request sets itself, in extra_body", () => {
    const request = { tools: [{ name: "a" }], parameters: { topK: 3 } };
    const extraBody = { toolConfig: {}, additionalModelRequestFields: { top_k: 4 } };
    expect(refusedFor({ ...request, extraBody }, CLAUDE)).toEqual([
      "extra_body.additionalModelRequestFields.top_k",
      "extra_body.toolConfig",
    ]);
    expect(refusedFor({ extraBody: { additionalModelRequestFields: 1 } })).toEqual([
      "extra_body.additionalModelRequestFields",
    ]);
  });
});

test("extra_body goes along, to Bedrock and to the model", () => {
  const extraBody = {
    guardrailConfig: { guardrailIdentifier: "g", guardrailVersion: "1" },
    performanceConfig: { latency: "optimized" },
    additionalModelRequestFields: { anthropic_beta: ["x"] },
  };
  expect(encode({ extraBody, parameters: { topK: 3 } }, CLAUDE)).toMatchObject({
    guardrailConfig: { guardrailIdentifier: "g" },
    performanceConfig: { latency: "optimized" },
    additionalModelRequestFields: { anthropic_beta: ["x"], top_k: 3 },
  });
});

describe("a conversation", () => {
  test("has the ids of other providers' calls in a form that is taken", () => {
    const { messages } = encode({
      messages: [
        ...hello,
        message("assistant", call({ id: "functions.look:0", name: "look" })),
        message("tool", result({ toolCallId: "functions.look:0" })),
      ],
    });
    const { toolUseId } = messages[1].content[0].toolUse;
    expect(toolUseId).toMatch(/^call_[0-9a-f]{32}$/);
    expect(messages[2].content[0].toolResult.toolUseId).toBe(toolUseId);
  });

  test("is one turn for each speaker, with what tools answered as the user's", () => {
    const { messages, system } = encode({
      messages: [
        { role: "user", content: "One" },
        { role: "developer", content: "Be kind." },
        { role: "user", content: "Two", name: "ann" },
        { ...message("assistant", call({ id: "a", name: "look" })), content: "\n\n" },
        message("tool", result({ toolCallId: "a", content: "Sun" })),
        message("tool", result({ toolCallId: "b", content: " ", isError: true })),
        { role: "user", content: "And?" },
      ],
    });
    expect(system).toEqual([{ text: "Be kind." }]);
    expect(messages).toEqual([
      { role: "user", content: [{ text: "One" }, { text: "Two" }] },
      { role: "assistant", content: [{ toolUse: { toolUseId: "a", name: "look", input: {} } }] },
      {
        role: "user",
        content: [
          { toolResult: { toolUseId: "a", content: [{ text: "Sun" }] } },
          { toolResult: { toolUseId: "b", content: [], status: "error" } },
          { text: "And?" },
        ],
      },
    ]);
  });

  const assistant = (request: Init, model = NOVA) => encode(request, model).messages[1]?.content;

  test("keeps what the assistant said in its order, with thoughts before the content", () => {
    const parts = [
      thought({ text: "Hm.", signature: "one" }),
      thought({ redacted: "eHl6" }),
      call({ id: "a", name: "look", arguments: '{"x":1}' }),
      { case: "refusal", value: "No." } as const,
      piece('{"toolUse":{"type":"server_tool_use"}}', "bedrock"),
      piece("{}", "gemini"),
      { case: "citation", value: { url: "https://a" } } as const,
    ];
    const said = { ...message("assistant", ...parts), content: "So." };
    expect(assistant({ messages: [...hello, said] })).toEqual([
      { reasoningContent: { reasoningText: { text: "Hm.", signature: "one" } } },
      { reasoningContent: { redactedContent: "eHl6" } },
      { text: "So." },
      { toolUse: { toolUseId: "a", name: "look", input: { x: 1 } } },
      { text: "No." },
      { toolUse: { type: "server_tool_use" } },
    ]);
  });

  test("has thoughts without a seal only where nobody verifies them", () => {
    const request = behind("assistant", thought({ text: "Hm." }), text("Yes."));
    expect(assistant(request)).toEqual([
      { reasoningContent: { reasoningText: { text: "Hm." } } },
      { text: "Yes." },
    ]);
    expect(assistant(request, CLAUDE)).toEqual([{ text: "Yes." }]);
  });

  test("marks what is to be kept, once at each place", () => {
    const part = { part: text("Two"), cache: { ttl: "1h" as const } };
    const { messages } = encode({
      messages: [
        { role: "user", content: "One", parts: [part], cache: {} },
        { role: "tool", parts: [{ part: result({ toolCallId: "a", content: "b" }), cache: {} }] },
      ],
    });
    expect(messages).toEqual([
      {
        role: "user",
        content: [
          { text: "One" },
          { text: "Two" },
          { cachePoint: { type: "default", ttl: "1h" } },
          { toolResult: { toolUseId: "a", content: [{ text: "b" }] } },
          { cachePoint: { type: "default" } },
        ],
      },
    ]);
  });

  test("has JSON that came as text as it came, to the byte", () => {
    const odd = '{ "b":1, "2": {"z" :[1.0, 1e2]},"1":null, "b":"\\u00e9" }';
    const request = {
      ...behind("assistant", call({ id: "a", name: "look", arguments: odd })),
      tools: [{ name: "look", parametersJson: odd }],
    };
    const { body } = wire(request, NOVA);
    expect(body).toContain(`"name":"look","input":${odd}}`);
    expect(body).toContain(`"inputSchema":{"json":${odd}}`);
    const format = { responseFormat: { type: "json_schema", schemaJson: odd, description: "d" } };
    expect(encode(format).outputConfig.textFormat.structure.jsonSchema).toEqual({
      schema: odd,
      description: "d",
    });
  });
});

describe("media", () => {
  const content = (...parts: PartInit[]) =>
    encode({ messages: [message("user", ...parts)] }).messages[0].content;

  test("lie in the request, in a data: URL, or on S3", () => {
    const png = { mediaType: "image/png; x=y" };
    expect(
      content(
        image(data, png),
        image(url("data:image/webp;base64,SGk="), { detail: "auto" }),
        image(url("s3://bucket/a.JPG")),
        file(url("s3://bucket/a"), { mediaType: "text/markdown" }),
        file(data, { name: "table.xlsx" }),
      ),
    ).toEqual([
      { image: { format: "png", source: { bytes: "SGk=" } } },
      { image: { format: "webp", source: { bytes: "SGk=" } } },
      { image: { format: "jpeg", source: { s3Location: { uri: "s3://bucket/a.JPG" } } } },
      { document: { format: "md", name: "document", source: { s3Location: { uri: "s3://bucket/a" } } } },
      { document: { format: "xlsx", name: "table", source: { bytes: "SGk=" } } },
    ]);
  });

  test("have names that Bedrock takes, and no two the same", () => {
    const pdf = (name: string) => file(data, { mediaType: "application/pdf", name });
    const documents = content(
      pdf("Q3_report  (final).pdf"),
      pdf("a"),
      pdf("a.pdf"),
      pdf(""),
      pdf("日本.pdf"),
    );
    expect(documents.map(({ document }: { document: { name: string } }) => document.name)).toEqual([
      "Q3 report (final)",
      "a",
      "a (2)",
      "document",
      "document (2)",
    ]);
  });
});

test.each([
  ["amazon.nova-lite-v1:0", "amazon", "nova-lite-v1:0"],
  ["us-gov.anthropic.claude-3-haiku-20240307-v1:0", "anthropic", "claude-3-haiku-20240307-v1:0"],
  ["global.anthropic.claude-sonnet-5", "anthropic", "claude-sonnet-5"],
  ["deepseek.v3.2", "deepseek", "v3.2"],
  ["arn:aws:bedrock:us-east-1:1:inference-profile/us.amazon.nova-lite-v1:0", "amazon", "nova-lite-v1:0"],
  [
    "arn:aws:bedrock:us-east-1::foundation-model/meta.llama3-70b-instruct-v1:0",
    "meta",
    "llama3-70b-instruct-v1:0",
  ],
  [OPAQUE, "", ""],
])("%s says whose it is", (id, vendor, name) => {
  expect(modelName(id)).toEqual({ vendor, name });
});

test("an effort to think goes where each vendor looks for it", () => {
  const request: Init = { parameters: { reasoningEffort: "low" } };
  expect(encode(request, "openai.gpt-oss-120b-1:0").additionalModelRequestFields).toEqual({
    reasoning_effort: "low",
  });
  expect(encode(request, NOVA).additionalModelRequestFields).toEqual({
    reasoningConfig: { type: "enabled", maxReasoningEffort: "low" },
  });
  expect(encode({ parameters: { reasoningEffort: "none" } }, NOVA).additionalModelRequestFields).toEqual({
    reasoningConfig: { type: "disabled" },
  });
  expect(encode(request, OPAQUE).outputConfig).toEqual({ effort: "low" });
  expect(encode(request, "global.anthropic.claude-opus-4-6-v1")).toMatchObject({
    additionalModelRequestFields: { thinking: { type: "adaptive" } },
    outputConfig: { effort: "low" },
  });
  expect(encode({ parameters: { reasoningBudgetTokens: 0 } }, CLAUDE).additionalModelRequestFields).toEqual({
    thinking: { type: "disabled" },
  });
});

test("the limit of the gateway goes before the caller's, and a tier of Bedrock's choice is none", () => {
  const parameters = { maxTokens: 100, serviceTier: "auto" };
  const body = encode({ parameters }, NOVA, { maxTokens: 50 });
  expect(body.inferenceConfig).toEqual({ maxTokens: 50 });
  expect(body).not.toHaveProperty("serviceTier");
});

describe("Claude is asked in its own format", () => {
  const own = { path: `/model/${encodeURIComponent(CLAUDE)}/invoke` };

  test("when Converse cannot say what is asked", () => {
    expect(wire({ parameters: { parallelToolCalls: false }, tools: [{ name: "a" }] }, CLAUDE)).toMatchObject(
      own,
    );
    expect(wire({ toolChoice: "none", tools: [{ name: "a" }] }, CLAUDE, { stream: true })).toMatchObject({
      path: `${own.path}-with-response-stream`,
    });
    const search = '{"type":"server_tool_use","id":"s","name":"web_search","input":{}}';
    expect(wire(behind("assistant", piece(search)), CLAUDE)).toMatchObject(own);
  });

  test("with the tier that Bedrock knows, in a header", () => {
    const at = (serviceTier: string) =>
      wire({ parameters: { parallelToolCalls: false, serviceTier }, tools: [{ name: "a" }] }, CLAUDE);
    const { headers, body } = at("priority");
    expect(headers).toEqual({ "x-amzn-bedrock-service-tier": "priority" });
    for (const { body } of [at("priority"), at("auto")]) expect(body).not.toContain("service_tier");
    expect(at("auto").headers).toEqual({});
    expect(JSON.parse(body).tool_choice).toEqual({ type: "auto", disable_parallel_tool_use: true });
  });

  test("and else by Converse", () => {
    expect(wire({ parameters: { parallelToolCalls: true } }, CLAUDE).path).toMatch(/\/converse$/);
    expect(refusedFor({ parameters: { parallelToolCalls: false } }, LLAMA)).toEqual([
      "parameters.parallel_tool_calls",
    ]);
  });
});

describe("models that go on with a text", () => {
  const talk: Init["messages"] = [
    { role: "system", content: "Be kind." },
    { role: "user", content: "Hello" },
    { role: "assistant", content: "Hi!" },
    { role: "user", content: "How", parts: [{ part: text("are you?") }] },
  ];
  const parameters = { maxTokens: 9, temperature: 0.5, topP: 0.9 };

  test.each<[string, object, object]>([
    [
      "anthropic.claude-v2:1",
      { topK: 3, stop: ["X"] },
      {
        prompt: "Be kind.\n\nHuman: Hello\n\nAssistant: Hi!\n\nHuman: How\n\nare you?\n\nAssistant:",
        max_tokens_to_sample: 9,
        temperature: 0.5,
        top_p: 0.9,
        top_k: 3,
        stop_sequences: ["X"],
      },
    ],
    [
      "amazon.titan-tg1-large",
      { stop: ["X"] },
      {
        inputText: "Be kind.\nUser: Hello\nBot: Hi!\nUser: How\n\nare you?\nBot:",
        textGenerationConfig: { maxTokenCount: 9, temperature: 0.5, topP: 0.9, stopSequences: ["X"] },
      },
    ],
    [
      "meta.llama2-13b-chat-v1",
      {},
      {
        prompt:
          "<s>[INST] <<SYS>>\nBe kind.\n<</SYS>>\n\nHello [/INST] Hi!</s><s>[INST] How\n\nare you? [/INST]",
        max_gen_len: 9,
        temperature: 0.5,
        top_p: 0.9,
      },
    ],
    [
      "mistral.mistral-7b-instruct-v0:2",
      { topK: 3, stop: ["X"] },
      {
        prompt: "<s>[INST] Be kind.\n\nHello [/INST] Hi!</s>[INST] How\n\nare you? [/INST]",
        max_tokens: 9,
        temperature: 0.5,
        top_p: 0.9,
        top_k: 3,
        stop: ["X"],
      },
    ],
  ])("%s", (model, more, body) => {
    const request = { messages: talk, parameters: { ...parameters, ...more }, extraBody: { custom: 1 } };
    expect(encode(request, model)).toEqual({ ...body, custom: 1 });
    expect(wire(request, model).path).toBe(`/model/${encodeURIComponent(model)}/invoke`);
    expect(wire(request, model, { stream: true }).path).toMatch(/\/invoke-with-response-stream$/);
    const [first = ""] = Object.keys(body);
    expect(refusedFor({ extraBody: { [first]: "x" } }, model)).toEqual([`extra_body.${first}`]);
  });

  test("are told a limit where they need one", () => {
    expect(encode({}, "anthropic.claude-v2:1").max_tokens_to_sample).toBe(4096);
    expect(encode({}, "anthropic.claude-v2:1", { modelMaxTokens: 2048 }).max_tokens_to_sample).toBe(2048);
    expect(encode({}, "meta.llama2-13b-chat-v1")).not.toHaveProperty("max_gen_len");
  });

  test("are told nothing but text", () => {
    const request: Init = {
      messages: [message("user", image(data)), message("tool", result({ toolCallId: "a" })), ...hello],
      tools: [{ name: "a" }],
      toolChoice: "auto",
      responseFormat: { type: "json_object" },
      parameters: {
        topK: 3,
        stop: ["X"],
        seed: 1n,
        reasoningEffort: "low",
        reasoningBudgetTokens: 5,
        serviceTier: "flex",
      },
    };
    expect(refusedFor(request, "meta.llama2-13b-chat-v1").sort()).toEqual([
      "messages[0].parts[0].image",
      "messages[1].parts[0].tool_result",
      "messages[1].role",
      "parameters.reasoning_budget_tokens",
      "parameters.reasoning_effort",
      "parameters.seed",
      "parameters.service_tier",
      "parameters.stop",
      "parameters.top_k",
      "response_format",
      "tool_choice",
      "tools",
    ]);
  });
});
