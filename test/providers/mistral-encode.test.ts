/** What of a request Mistral cannot be told, and what is told it in a way of its own. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { ChatRequestSchema } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { callId } from "../../src/providers/mistral/call_id.ts";
import { mistralDialect } from "../../src/providers/mistral/dialect.ts";
import { violatedBy } from "../support/failure.ts";

type Init = MessageInitShape<typeof ChatRequestSchema>;
type PartInit = NonNullable<NonNullable<NonNullable<Init["messages"]>[number]["parts"]>[number]["part"]>;

function encode(request: Init) {
  const canonical = create(ChatRequestSchema, { messages: [{ role: "user", content: "Hi" }], ...request });
  return mistralDialect.encode(canonical, { model: "m", stream: false, maxTokens: undefined }).body;
}

function message(role: string, ...parts: PartInit[]): Init {
  return { messages: [{ role, parts: parts.map((part) => ({ part })) }] };
}

const call = (value: object): PartInit => ({ case: "toolCall", value: { id: "a", name: "look", ...value } });

describe("is refused by its name", () => {
  test.each<[string, Init, string[]]>([
    ["a free-text tool", { tools: [{ name: "a", freeText: {} }] }, ["tools[0].free_text"]],
    [
      "a free-text call",
      message("assistant", call({ input: "1 + 1" })),
      ["messages[0].parts[0].tool_call.input"],
    ],
    [
      "a call without id and name",
      message("assistant", call({ id: "", name: "" })),
      ["messages[0].parts[0].tool_call.id", "messages[0].parts[0].tool_call.name"],
    ],
    [
      "a picture of the assistant's",
      message("assistant", { case: "image", value: { source: { case: "url", value: "https://a" } } }),
      ["messages[0].parts[0].image"],
    ],
    [
      "a picture for the system",
      message("system", { case: "image", value: { source: { case: "url", value: "https://a" } } }),
      ["messages[0].parts[0].image"],
    ],
    ["a document from nowhere", message("user", { case: "file", value: {} }), ["messages[0].parts[0].file"]],
    [
      "a piece of its own that is none",
      message("assistant", { case: "providerPart", value: { provider: "mistral", type: "x", json: "[1]" } }),
      ["messages[0].parts[0].provider_part.json"],
    ],
    ["an unknown role", { messages: [{ role: "robot" }] }, ["messages[0].role"]],
    ["a choice of no tool", { toolChoice: "look" }, ["tool_choice"]],
    ["a seed beyond JSON", { parameters: { seed: 9007199254740993n } }, ["parameters.seed"]],
    [
      "what no model of its has",
      { parameters: { topK: 1, serviceTier: "flex" } },
      ["parameters.top_k", "parameters.service_tier"],
    ],
    [
      "a field that the gateway sets",
      { extraBody: { max_tokens: 1, n: 2, stream: true } },
      ["extra_body.max_tokens", "extra_body.n", "extra_body.stream"],
    ],
  ])("%s", (_, request, fields) => {
    expect(violatedBy(() => encode(request))).toEqual(fields);
  });
});

describe("ids of calls", () => {
  test("of Mistral's own stay, and others become one of their form, always the same", () => {
    expect(callId("aX2gaLIyo")).toBe("aX2gaLIyo");
    for (const id of ["call_1", "toolu_01A09q90qw90lq917835lq9", "", "ü", "short", "aX2gaLIyo1"]) {
      expect(callId(id)).toMatch(/^[a-zA-Z0-9]{9}$/);
      expect(callId(id)).toBe(callId(id));
    }
    expect(new Set(Array.from({ length: 10_000 }, (_, i) => callId(`call_${i}`))).size).toBe(10_000);
  });

  test("tie the result to its call", () => {
    const { messages } = JSON.parse(
      encode({
        messages: [
          { role: "assistant", parts: [{ part: call({ id: "toolu_1" }) }] },
          { role: "tool", parts: [{ part: { case: "toolResult", value: { toolCallId: "toolu_1" } } }] },
        ],
      }),
    );
    expect(messages[1].tool_call_id).toBe(messages[0].tool_calls[0].id);
  });
});

test("what only another provider understands is left out, and a refusal is said", () => {
  const { messages } = JSON.parse(
    encode({
      messages: [
        {
          role: "assistant",
          name: "ann",
          parts: [
            { part: { case: "reasoning", value: { redacted: "x" } } },
            { part: { case: "providerPart", value: { provider: "claude", type: "x", json: "{}" } } },
            { part: { case: "citation", value: { url: "https://a", providerJson: '{"type":"page"}' } } },
            { part: { case: "citation", value: { url: "https://a", providerJson: "no JSON" } } },
            { part: { case: "refusal", value: "No." } },
          ],
        },
        { role: "user", content: "Why?" },
      ],
    }),
  );
  expect(messages[0]).toEqual({ role: "assistant", content: "No.", prefix: false });
});

test("documents go by address, by value or by id", () => {
  const file = (value: object): PartInit => ({ case: "file", value });
  const { messages } = JSON.parse(
    encode(
      message(
        "user",
        file({ source: { case: "url", value: "https://example.com/a.pdf" }, name: "a.pdf" }),
        file({ source: { case: "fileId", value: "file-1" } }),
      ),
    ),
  );
  expect(messages[0].content).toEqual([
    { type: "document_url", document_url: "https://example.com/a.pdf", document_name: "a.pdf" },
    { type: "file", file_id: "file-1" },
  ]);
});

test("a tool without arguments gets a schema, and one that came as text stays to the byte", () => {
  const odd = '{ "b":1, "2":{"z":1.0}, "b":"\\u00e9" }';
  const body = encode({ tools: [{ name: "stop" }, { name: "look", parametersJson: odd }] });
  expect(body).toContain('"name":"stop","parameters":{"type":"object","properties":{}}');
  expect(body).toContain(`"name":"look","parameters":${odd}`);
});

test("an answer that calls a tool is none to go on with", () => {
  const { messages } = JSON.parse(encode(message("assistant", call({}))));
  expect(messages[0]).toMatchObject({ content: "", prefix: false });
});
