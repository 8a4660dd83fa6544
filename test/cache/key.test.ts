/** Two requests share a key if and only if they ask the same of the same for the same. */
import { create, type JsonValue, toJsonString } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ChatRequest, ChatRequestSchema } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { canonicalText } from "../../src/cache/canonical.ts";
import { keyOf, type Scope } from "../../src/cache/key.ts";
import { BESIDE, json, requests } from "./requests.ts";

const SCOPE: Scope = { tenant: "a", cacheScope: "b", family: "c" };
const FIELDS = ["messages", "parameters", "tools", "toolChoice", "responseFormat", "extraBody"] as const;

const said = (content: string, role = "user") => create(ChatRequestSchema, { messages: [{ role, content }] });

describe("no two requests share a key", () => {
  it("that differ in a field", () => {
    const pair = fc
      .tuple(requests, requests, fc.constantFrom(...FIELDS))
      .map(([one, other, field]) => [one, { ...one, [field]: other[field] }] as const);
    fc.assert(
      fc.property(pair, ([one, other]) => {
        expect(keyOf(one, SCOPE) === keyOf(other, SCOPE)).toBe(identity(one) === identity(other));
      }),
      { numRuns: 5_000 },
    );
  });

  it("that differ in one place deep down", () => {
    fc.assert(
      fc.property(requests, fc.nat(), (request, seed) => {
        const other = altered(request, seed);
        fc.pre(identity(request) !== identity(other));
        expect(keyOf(other, SCOPE)).not.toBe(keyOf(request, SCOPE));
      }),
      { numRuns: 5_000 },
    );
  });

  it("of another tenant, scope or family, wherever one name ends and the next begins", () => {
    const names = fc.constantFrom("", "a", "b", "ab", '","', "a,b", "[]");
    const scopes = fc.record({ tenant: names, cacheScope: names, family: names });
    const request = said("Hello");
    fc.assert(
      fc.property(scopes, scopes, (one, other) => {
        expect(keyOf(request, one) === keyOf(request, other)).toBe(
          JSON.stringify(Object.values(one)) === JSON.stringify(Object.values(other)),
        );
      }),
    );
  });

  it.each([
    ["numbers that are one once they are read", '{"id":12345678901234567890}', '{"id":12345678901234567891}'],
    ["fractions beyond what a number keeps", '{"x":0.1}', '{"x":0.1000000000000000000001}'],
    ["numbers beyond what a number reaches", '{"x":1e999}', '{"x":2e999}'],
    ["numbers too small for one", '{"x":1e-999}', '{"x":0}'],
    ["a text and the number that it spells", '{"x":"1"}', '{"x":1}'],
    ["what is JSON and what is not", '{"x":1}', '{"x":1'],
  ])("nor do %s", (_, one, other) => {
    expect(canonicalText(one)).not.toEqual(canonicalText(other));
  });

  it.each([
    ["code", "```\n\u0065\u0301\r\n```", "```\n\u00e9\n```", "user"],
    ["the spaces before the first word", "  a", "a", "user"],
    ["spaces within", "a  b", "a b", "user"],
    ["what a model shall go on with", "Answer: ", "Answer:", "assistant"],
    ["what a tool said", "a\r\n", "a\n", "tool"],
    ["halves of characters", "\ud800", "\ud801", "user"],
    ["letters that only look alike", "\u0430", "a", "user"],
    ["full width", "\uff11", "1", "user"],
  ])("that differ in %s", (_, one, other, role) => {
    expect(keyOf(said(one, role), SCOPE)).not.toBe(keyOf(said(other, role), SCOPE));
  });
});

describe("one request has one key", () => {
  it("however it is spelled, and whatever stands beside what is asked", () => {
    fc.assert(
      fc.property(requests, fc.infiniteStream(fc.nat()), (request, dice) => {
        const roll = (sides: number) => (dice.next().value as number) % sides;
        expect(keyOf(respelled(request, roll), SCOPE)).toBe(keyOf(request, SCOPE));
      }),
      { numRuns: 5_000 },
    );
  });

  it("in JSON that reads the same", () => {
    fc.assert(
      fc.property(json, fc.infiniteStream(fc.nat()), (value, dice) => {
        const roll = (sides: number) => (dice.next().value as number) % sides;
        expect(canonicalText(spelled(value, roll))).toEqual(canonicalText(JSON.stringify(value)));
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    ['{"x":1.0}', '{"x":1}'],
    ['{"x":1e2}', '{"x":100}'],
    ['{"x":0.10}', '{"x":0.1}'],
    ['{"x":-0}', '{"x":0}'],
    ['{ "b" : [ ] , "a" : "\\u00e9" }', '{"a":"\u00e9","b":[]}'],
    ['{"x":12345678901234567890}', '{ "x": 12345678901234567890 }'],
  ])("%s as %s", (one, other) => {
    expect(canonicalText(one)).toEqual(canonicalText(other));
  });

  it("names every field of a request, as what is asked or as what is not", () => {
    const snake = FIELDS.map((name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`));
    const names = ChatRequestSchema.fields.map(({ name }) => name);
    expect(names.sort()).toEqual([...snake, ...BESIDE].sort());
  });

  it("takes text of any depth and length", () => {
    const deep = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
    expect(canonicalText(deep)).toBe(deep);
    expect(keyOf(said(" \n".repeat(200_000)), SCOPE)).toHaveLength(43);
  });
});

/** What was asked, as JSON of what is in one spelling already. */
function identity(request: ChatRequest): string {
  return (
    toJsonString(ChatRequestSchema, { ...request, extraBody: undefined }) + sorted(request.extraBody ?? null)
  );
}

function sorted(value: JsonValue): string {
  return JSON.stringify(value, (_, one) =>
    one && typeof one === "object" && !Array.isArray(one)
      ? Object.fromEntries(
          Object.keys(one)
            .sort()
            .map((key) => [`k${key}`, one[key]]),
        )
      : one,
  );
}

/** What says which, and what stands beside the spelling that is used. */
const NOT_SAID = ["role", "case", "hasEffects", "parametersJson", "schemaJson"];

/** A copy that is another in one scalar or text of those it has. */
function altered(request: ChatRequest, seed: number): ChatRequest {
  const copy = structuredClone(request);
  const places: (() => void)[] = [];
  const visit = (holder: Record<string, unknown>) => {
    for (const [name, value] of Object.entries(holder)) {
      if (name.startsWith("$") || NOT_SAID.includes(name)) continue;
      if (typeof value === "string") places.push(() => Object.assign(holder, { [name]: `${value}!` }));
      else if (typeof value === "number") places.push(() => Object.assign(holder, { [name]: value + 1 }));
      else if (typeof value === "boolean") places.push(() => Object.assign(holder, { [name]: !value }));
      else if (value instanceof Uint8Array) places.push(() => value.set([((value[0] ?? 0) + 1) % 256]));
      else if (value && typeof value === "object") visit(value as Record<string, unknown>);
    }
  };
  for (const field of FIELDS) visit({ [field]: copy[field] });
  if (places.length > 0) places[seed % places.length]?.();
  return copy;
}

type Roll = (sides: number) => number;

/** The same in other words: of each thing that may be said in several ways, another one. */
function respelled(request: ChatRequest, roll: Roll): ChatRequest {
  const { messages, tools, responseFormat, extraBody } = request;
  return create(ChatRequestSchema, {
    ...request,
    messages: messages.map((message) => respelledMessage(message, roll)),
    tools: tools.map((tool) => ({
      ...tool,
      cache: { ttl: "1h" },
      ...(tool.parameters && roll(2)
        ? { parameters: undefined, parametersJson: spelled(tool.parameters, roll) }
        : {}),
    })),
    responseFormat: responseFormat && {
      ...responseFormat,
      ...(responseFormat.schema && roll(2)
        ? { schema: undefined, schemaJson: spelled(responseFormat.schema, roll) }
        : {}),
    },
    extraBody: extraBody && JSON.parse(spelled(extraBody, roll)),
    ...{ stream: roll(2) === 1, maxCostUsd: 1, timeoutMs: 1_000, metadata: { a: "b" }, sessionId: "s" },
    ...{ fallbackChain: "none", cache: "refresh", cacheTtlSeconds: 1 + roll(9), idempotencyKey: "k" },
    ...{ resilience: { maxRetries: 1 } },
  } as never);
}

function respelledMessage(message: ChatRequest["messages"][number], roll: Roll) {
  const isPeoples = message.role === "user" || message.role === "system";
  const spell = (text: string) =>
    isPeoples && text !== "" && !text.includes("```") && roll(2) ? otherwise(text, roll) : text;
  const content = spell(message.content);
  const parts = message.parts.map((one) => {
    const { part } = one;
    if (part.case === "toolCall" && isJson(part.value.arguments)) {
      const text = spelled(JSON.parse(part.value.arguments), roll);
      return { part: { case: part.case, value: { ...part.value, arguments: text } }, cache: {} };
    }
    return { ...one, cache: {} };
  });
  if (content !== "" && roll(2)) {
    return { ...message, cache: {}, content: "", parts: [{ part: { case: "text", value: content } }] };
  }
  return { ...message, cache: {}, content, parts };
}

function otherwise(text: string, roll: Roll): string {
  const lines = text.replaceAll("\n", roll(2) ? "\r\n" : "\n").normalize(roll(2) ? "NFD" : "NFC");
  return `${["", "\n", " \r\n\n"][roll(3)]}${lines}${["", " ", "\n\t"][roll(3)]}`;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** JSON text with its keys in any order, any space, and numbers in other forms. */
function spelled(value: JsonValue, roll: Roll): string {
  const gap = () => ["", " ", "\n"][roll(3)];
  if (Array.isArray(value)) return `[${gap()}${value.map((one) => spelled(one, roll)).join(`${gap()},`)}]`;
  if (value && typeof value === "object") {
    const members = Object.entries(value).map(
      ([key, one]) => `${gap()}${JSON.stringify(key)}${gap()}:${spelled(one, roll)}`,
    );
    return `{${(roll(2) ? members.reverse() : members).join(",")}${gap()}}`;
  }
  if (typeof value === "number" && Number.isInteger(value) && Math.abs(value) < 1e6 && roll(2))
    return `${value}.0`;
  return JSON.stringify(value);
}
