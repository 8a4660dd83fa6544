import { describe, expect, test } from "vitest";
import {
  call,
  encode,
  file,
  hello,
  type Init,
  image,
  message,
  NEW,
  OLD,
  type PartInit,
  piece,
  refusedFor,
  result,
  thought,
} from "./claude-wire.ts";

describe("what Claude cannot be told is refused by its name", () => {
  const messages = (role: string, ...parts: PartInit[]): Init => ({
    messages: [...hello, message(role, ...parts)],
  });
  const at = (field: string) => [`messages[1].${field}`];
  const cases: readonly [string, Init, string[], string?][] = [
    ["an unknown role", { messages: [...hello, { role: "robot" }] }, at("role")],
    ["nothing to answer", { messages: [{ role: "system", content: "Hi" }] }, ["messages"]],
    ["an empty question", { messages: [...hello, { role: "user" }] }, at("content")],
    ["a tool without a result", { messages: [...hello, { role: "tool", content: "Sun" }] }, at("parts")],
    [
      "a picture by the assistant",
      messages("assistant", image({ case: "url", value: "https://a" })),
      at("parts[0].image"),
    ],
    [
      "a result by the assistant",
      messages("assistant", result({ toolCallId: "a" })),
      at("parts[0].tool_result"),
    ],
    [
      "a picture for the system",
      messages("system", image({ case: "url", value: "https://a" })),
      at("parts[0].image"),
    ],
    [
      "a call by the user",
      messages("user", call({ id: "a", name: "b" })),
      ["messages[1].parts[0].tool_call", "messages[1].content"],
    ],
    ["an empty part", messages("assistant", { case: undefined }), at("parts[0]")],
    ["a thought of nothing", messages("assistant", thought({})), at("parts[0].reasoning")],
    [
      "a call of nobody",
      messages("assistant", call({})),
      [...at("parts[0].tool_call.id"), ...at("parts[0].tool_call.name")],
    ],
    [
      "arguments cut off",
      messages("assistant", call({ id: "a", name: "b", arguments: '{"x"' })),
      at("parts[0].tool_call.arguments"),
    ],
    [
      "a list of arguments",
      messages("assistant", call({ id: "a", name: "b", arguments: "[]" })),
      at("parts[0].tool_call.arguments"),
    ],
    [
      "free text for a tool",
      messages("assistant", call({ id: "a", name: "b", input: "x" })),
      at("parts[0].tool_call.input"),
    ],
    ["a piece that is none", messages("assistant", piece("{}")), at("parts[0].provider_part.json")],
    [
      "a mark on a thought",
      {
        messages: [
          ...hello,
          { role: "assistant", parts: [{ part: thought({ signature: "s" }), cache: {} }] },
        ],
      },
      at("parts[0].cache"),
    ],
    [
      "a mark on nothing but thoughts",
      {
        messages: [
          ...hello,
          { role: "assistant", parts: [{ part: thought({ text: "Hm", signature: "s" }) }], cache: {} },
        ],
      },
      at("cache"),
    ],
    [
      "a closer look",
      messages("user", image({ case: "url", value: "https://a" }, { detail: "high" })),
      at("parts[0].image.detail"),
    ],
    [
      "bytes of no type",
      messages("user", image({ case: "data", value: Uint8Array.of(1) })),
      at("parts[0].image.media_type"),
    ],
    [
      "a spreadsheet",
      messages("user", file({ case: "data", value: Uint8Array.of(1) }, { mediaType: "text/csv" })),
      at("parts[0].file.media_type"),
    ],
    [
      "a data URL that is none",
      messages("user", image({ case: "url", value: "data:,x" })),
      at("parts[0].image.url"),
    ],
    ["media without a source", messages("user", image({ case: undefined })), at("parts[0].image")],
    ["a free-text tool", { tools: [{ name: "a", freeText: {} }] }, ["tools[0].free_text"]],
    [
      "a schema that is no JSON",
      { tools: [{ name: "a", parametersJson: "{" }] },
      ["tools[0].parameters_json"],
    ],
    ["a choice of a tool that is not there", { toolChoice: "look" }, ["tool_choice"]],
    ["a call where there is no tool", { toolChoice: "required" }, ["tool_choice"]],
    [
      "a forced call of one who thinks",
      { tools: [{ name: "a" }], toolChoice: "a", parameters: { reasoningEffort: "low", maxTokens: 4000 } },
      ["tool_choice"],
      OLD,
    ],
    ["JSON of no schema", { responseFormat: { type: "json_object" } }, ["response_format.type"]],
    [
      "a schema with a description beside it",
      { responseFormat: { type: "json_schema", schemaJson: "{}", description: "x" } },
      ["response_format.description"],
    ],
    [
      "a schema's text that is none",
      { responseFormat: { type: "json_schema", schemaJson: "no" } },
      ["response_format.schema_json"],
    ],
    [
      "sampling by a new model",
      { parameters: { temperature: 0, topP: 1, topK: 1 } },
      ["parameters.temperature", "parameters.top_p", "parameters.top_k"],
    ],
    ["more than its heat", { parameters: { temperature: 1.5 } }, ["parameters.temperature"], OLD],
    [
      "sampling when it thinks",
      { parameters: { temperature: 0.5, topK: 1, reasoningEffort: "low", maxTokens: 4000 } },
      ["parameters.temperature", "parameters.top_k"],
      OLD,
    ],
    [
      "sampling when it thinks by itself",
      { parameters: { temperature: 0.5, reasoningEffort: "low" } },
      ["parameters.temperature"],
      "claude-opus-4-6",
    ],
    [
      "a narrow nucleus when it thinks",
      { parameters: { topP: 0.9, reasoningEffort: "low", maxTokens: 4000 } },
      ["parameters.top_p"],
      OLD,
    ],
    ["two samplers", { parameters: { temperature: 0.5, topP: 0.9 } }, ["parameters.top_p"], OLD],
    [
      "all that others know",
      { parameters: { seed: 1n, presencePenalty: 0, frequencyPenalty: 0, choices: 2, serviceTier: "flex" } },
      [
        "parameters.service_tier",
        "parameters.seed",
        "parameters.presence_penalty",
        "parameters.frequency_penalty",
        "parameters.choices",
      ],
    ],
  ];
  test.each(cases)("%s", (_, request, fields, model = NEW) => {
    expect(refusedFor(request, { model })).toEqual(fields);
  });
});

describe("extra_body", () => {
  test.each(["model", "anthropic_version", "messages", "system", "stream", "max_tokens"])(
    "never sets %s",
    (field) => {
      expect(refusedFor({ extraBody: { [field]: 1 } })).toEqual([`extra_body.${field}`]);
    },
  );

  test("replaces nothing that the request sets", () => {
    const request: Init = {
      parameters: { reasoningEffort: "low", stop: ["x"] },
      tools: [{ name: "a" }],
      toolChoice: "a",
    };
    const extraBody = { thinking: {}, output_config: {}, stop_sequences: [], tools: [], tool_choice: {} };
    expect(refusedFor({ ...request, extraBody })).toEqual(
      Object.keys(extraBody).map((field) => `extra_body.${field}`),
    );
    expect(encode({ extraBody: { ...extraBody, speed: "fast" } })).toMatchObject({ speed: "fast" });
  });
});
