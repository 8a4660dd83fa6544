import { describe, expect, it } from "vitest";
import { ConfigSchema } from "../../gen/ts/llmgateway/config/v1/config_pb.ts";
import { ChatRequestSchema } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { keyPath, readStrict, type Violation } from "../../src/core/strict-json.ts";

const USER = { role: "user", content: "hi" };

function violations(
  json: unknown,
  schema: typeof ChatRequestSchema | typeof ConfigSchema = ChatRequestSchema,
) {
  const result = readStrict(schema, json);
  return "violations" in result ? result.violations : [];
}

function only(json: unknown, schema?: typeof ChatRequestSchema | typeof ConfigSchema): Violation {
  const found = violations(json, schema);
  expect(found).toHaveLength(1);
  return found[0] ?? { field: "", description: "" };
}

describe("a value that fits", () => {
  it("is read in either spelling", () => {
    for (const parameters of [{ max_tokens: 5 }, { maxTokens: 5 }]) {
      const result = readStrict(ChatRequestSchema, { messages: [USER], parameters });
      expect("message" in result && result.message.parameters?.maxTokens).toBe(5);
    }
  });

  it("may hold a Struct as deep as a listener lets through", () => {
    expect(violations({ extra_body: { a: nested(254) } })).toEqual([]);
  });
});

describe("a value that does not fit", () => {
  it.each<[string, unknown, string, string]>([
    ["is no object", [], "", "must be an object, got a list"],
    ["has a misspelt field", { mesages: [] }, "mesages", 'unknown field "mesages"; did you mean "messages"?'],
    [
      "misspells deep down",
      { messages: [USER, { rol: "user" }] },
      "messages[1].rol",
      'unknown field "rol"; did you mean "role"?',
    ],
    [
      "spells another way",
      { parameters: { "max-tokens": 1 } },
      "parameters.max-tokens",
      'unknown field "max-tokens"; did you mean "max_tokens"?',
    ],
    [
      "has an odd key",
      { messages: [{ "a b": 1 }] },
      'messages[0]["a b"]',
      'unknown field "a b"; known here: role, content, parts, name, cache',
    ],
    [
      "has text for an int32",
      { parameters: { max_tokens: "many" } },
      "parameters.max_tokens",
      "must be a whole number (int32), got a string",
    ],
    [
      "has a fraction for an int32",
      { parameters: { maxTokens: 1.5 } },
      "parameters.max_tokens",
      "must be a whole number (int32), got 1.5",
    ],
    [
      "exceeds int32",
      { parameters: { max_tokens: 3e9 } },
      "parameters.max_tokens",
      "must be a whole number (int32), got 3000000000",
    ],
    [
      "has text for a double",
      { max_cost_usd: "cheap" },
      "max_cost_usd",
      "must be a number (double), got a string",
    ],
    ["has text for a bool", { stream: "yes" }, "stream", "must be true or false, got a string"],
    ["has a number for a string", { model: 4 }, "model", "must be a string, got 4; put it in quotes"],
    [
      "has a text that was cut within an emoji",
      { model: "\ud83d" },
      "model",
      "has half of a character, a surrogate without its other one; cut texts between characters",
    ],
    ["has an object for a string", { model: {} }, "model", "must be a string, got an object"],
    ["has an object for a list", { messages: {} }, "messages", "must be a list, got an object"],
    ["has a list for a map", { metadata: [] }, "metadata", "must be an object, got a list"],
    ["has a list for a message", { parameters: [] }, "parameters", "must be an object, got a list"],
    ["has null in a list", { messages: [USER, null] }, "messages[1]", "must be an object, got null"],
    [
      "has a number in a list of strings",
      { parameters: { stop: ["a", 7] } },
      "parameters.stop[1]",
      "must be a string, got 7; put it in quotes",
    ],
    [
      "has a bad entry in a map",
      { metadata: { team: "a", "cost centre": true } },
      'metadata["cost centre"]',
      "must be a string, got true; put it in quotes",
    ],
    ["has text for a Struct", { extra_body: "x" }, "extra_body", "must be an object, got a string"],
    [
      "is nested too deeply in a Struct",
      { extra_body: { a: nested(300) } },
      "extra_body",
      "is nested more than 256 deep",
    ],
    [
      "has bytes that are not base64",
      part({ image: { data: "%%%" } }),
      "messages[0].parts[0].image.data",
      "must be a string of base64 (bytes), got a string",
    ],
    [
      "gives a field in two spellings",
      { parameters: { max_tokens: 1, maxTokens: 2 } },
      "parameters.max_tokens",
      'is given twice, as "max_tokens" and as "maxTokens"; give it once',
    ],
    [
      "gives two members of a oneof",
      part({ text: "a", refusal: "b" }),
      "messages[0].parts[0].refusal",
      'cannot be given beside "text"; give one of them',
    ],
  ])("%s", (_, json, field, description) => {
    expect(only(json)).toEqual({ field, description });
  });

  it("has a duration that is none", () => {
    expect(only({ server: { drain_timeout: "soon" } }, ConfigSchema)).toEqual({
      field: "server.drain_timeout",
      description: 'must be a duration in seconds, such as "30s" or "0.5s", got a string',
    });
  });

  it("has a fault inside a map's message", () => {
    expect(
      only({ providers: { openai: {}, "my.own": { timeouts: { idel: "1s" } } } }, ConfigSchema).field,
    ).toBe('providers["my.own"].timeouts.idel');
  });

  it("has every fault named, in its order, and 20 at most", () => {
    const json = { model: 1, stream: "x", messages: [{ role: 2 }, USER, { content: 3 }] };
    expect(violations(json).map((violation) => violation.field)).toEqual([
      "model",
      "stream",
      "messages[0].role",
      "messages[2].content",
    ]);
    expect(violations({ messages: Array.from({ length: 100_000 }, () => 1) })).toHaveLength(20);
  });

  it("never shows a string that it was given, and cuts endless keys", () => {
    const secret = "sk-very-secret";
    const faulty = {
      stream: secret,
      parameters: secret,
      messages: [secret],
      max_cost_usd: secret,
      tools: secret,
    };
    expect(JSON.stringify(violations(faulty))).not.toContain(secret);
    expect(violations(faulty)).toHaveLength(5);
    expect(only({ ["k".repeat(10_000)]: 1 }).description.length).toBeLessThan(600);
  });

  it("is not trusted with its prototype", () => {
    expect(only(JSON.parse('{"__proto__": {"model": "x"}}')).description).toContain(
      'unknown field "__proto__"',
    );
  });
});

it("quotes what is not a plain name", () => {
  expect(keyPath("", "model")).toBe("model");
  expect(keyPath("providers", "gpt-4o")).toBe("providers.gpt-4o");
  expect(keyPath("providers", "gpt-4.1")).toBe('providers["gpt-4.1"]');
  expect(keyPath("providers", 'a"b')).toBe('providers["a\\"b"]');
});

function part(value: object): object {
  return { messages: [{ role: "user", parts: [value] }] };
}

function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let i = 0; i < depth; i++) value = [value];
  return value;
}
