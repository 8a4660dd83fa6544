/** Which requests the cache has nothing to do with, and that it finds out in time. */
import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { ChatRequestSchema } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { patternFault } from "../../src/cache/patterns.ts";
import { createStorable } from "../../src/cache/storable.ts";
import { callOf, chatOf } from "../support/call.ts";
import type { ChatInit } from "../support/callers.ts";
import { cpuMsOf } from "../support/cpu.ts";

const RULES = {
  maxTemperature: 1,
  sensitivePatterns: ["(?i)project\\s+bluebird", "\\b\\d{3}-\\d{2}-\\d{4}\\b"],
};
const storable = createStorable(RULES);
const SECRET = "it holds what looks like a secret";

function objectionTo(request: ChatInit, judge = storable): string {
  const call = callOf({ request: create(ChatRequestSchema, { messages: [user("Hello")], ...request }) });
  return judge(call, chatOf(call));
}

const user = (content: string) => ({ role: "user", content });
const saying = (content: string) => objectionTo({ messages: [user(content)] });

describe("a request is left alone", () => {
  it.each<[string, ChatInit]>([
    ["the request wants none", { cache: "bypass" }],
    ["the request is sensitive", { sensitive: true }],
    ["a batch is answered once", { parameters: { serviceTier: "batch" } }],
    ["its temperature is above 1", { parameters: { temperature: 1.01 } }],
    ["it has a tool with effects", { tools: [{ name: "look" }, { name: "buy", hasEffects: true }] }],
    ["it matches one of sensitive_patterns", { messages: [user("About Project\n Bluebird: when?")] }],
    ["it matches one of sensitive_patterns", { messages: [user("I am 123-45-6789")] }],
  ])("since %s", (why, request) => {
    expect(objectionTo(request)).toBe(why);
  });

  it("since it is a job that can wait for a batch", () => {
    const call = { ...callOf(), parking: { parked: undefined, park: async () => {} } };
    expect(storable(call, chatOf(call))).toBe("a batch is answered once");
  });

  it("since its temperature, which nobody gave, counts as 1", () => {
    const strict = createStorable({ ...RULES, maxTemperature: 0.5 });
    expect(objectionTo({}, strict)).toBe("its temperature, which is 1 where it is absent, is above 0.5");
    expect(objectionTo({ parameters: { temperature: 0.5 } }, strict)).toBe("");
  });
});

/** Made up, in the forms in which they are issued. */
describe("a secret is found", () => {
  it.each([
    "sk-proj-Zx81kQpL0vNwTYu33aBcD",
    "sk-ant-api03-QwErTyUiOp_123-AA",
    "gsk_Zx81kQpL0vNwTYu33aBcD",
    "ghp_Zx81kQpL0vNwTYu33aBcDxx",
    "github_pat_11ABCDEFG0abcdefghij",
    "xoxb-123456789012-abcdefghij",
    "glpat-Zx81kQpL0vNwTYu33a",
    "AIzaSyZx81kQpL0vNwTYu33aBcD",
    "AKIAIOSFODNN7EXAMPLE",
    "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJtZSJ9.c2lnbmF0dXJl-_",
    "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk",
    "-----BEGIN PRIVATE KEY-----",
    "Authorization: Bearer 0123456789abcdef",
    "authorization: Basic dXNlcjpwYXNzd29yZA==",
    'curl -H "X-Api-Key: 0123456789abcdef"',
    '{"client_secret": "0123456789abcdef"}',
    JSON.stringify(JSON.stringify({ password: "hunter22" })),
    "AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG",
    "password: hunter22",
    "postgres://me:hunter22@db.example.com/x",
    "https://example.com/v1?key=0123456789abcdef",
  ])("in a text with %s", (secret) => {
    expect(saying(`Look at this: ${secret} and tell me what it is`)).toBe(SECRET);
    expect(saying(JSON.stringify({ note: `Look at this:\n${secret}\n` }))).toBe(SECRET);
  });

  it.each<[string, ChatInit]>([
    [
      "a part",
      { messages: [{ role: "user", parts: [{ part: { case: "text", value: "password=hunter22" } }] }] },
    ],
    [
      "the address of an image",
      {
        messages: [
          {
            role: "user",
            parts: [
              {
                part: {
                  case: "image",
                  value: { source: { case: "url", value: "https://me:hunter22@example.com/a.png" } },
                },
              },
            ],
          },
        ],
      },
    ],
    [
      "what a tool said",
      {
        messages: [
          {
            role: "tool",
            parts: [
              { part: { case: "toolResult", value: { toolCallId: "1", content: "password: hunter22" } } },
            ],
          },
        ],
      },
    ],
    [
      "the arguments of a call",
      {
        messages: [
          {
            role: "assistant",
            parts: [
              { part: { case: "toolCall", value: { name: "f", arguments: '{"password":"hunter22"}' } } },
            ],
          },
        ],
      },
    ],
    ["a tool's description", { tools: [{ name: "f", description: "Log in with password: hunter22" }] }],
    [
      "a tool's parameters",
      { tools: [{ name: "f", parameters: { properties: { auth: { const: "Bearer 0123456789abcdef" } } } }] },
    ],
    [
      "a tool's parameters as text",
      { tools: [{ name: "f", parametersJson: '{"default": "Bearer 0123456789abcdef"}' }] },
    ],
    ["a tool's grammar", { tools: [{ name: "f", freeText: { definition: 'x: "password: hunter22"' } }] }],
    ["a schema", { responseFormat: { schema: { description: "As in https://me:hunter22@example.com" } } }],
    ["a schema as text", { responseFormat: { schemaJson: '{"const": "Bearer 0123456789abcdef"}' } }],
    ["what a schema is for", { responseFormat: { description: "password: hunter22" } }],
    ["who says something", { messages: [{ role: "user", name: "sk-proj-Zx81kQpL0vNwTYu33aBcD" }] }],
    ["where to stop", { parameters: { stop: ["password: hunter22"] } }],
    ["extra_body", { extraBody: { headers: { authorization: "Bearer 0123456789abcdef" } } }],
  ])("in %s", (_, request) => {
    expect(objectionTo(request)).toBe(SECRET);
  });

  it.each([
    "Explain the basic principles of bearer bonds, and what a token is.",
    "Which key-driven design patterns are there? List key_points.",
    "How do I store a password safely? Is the secret to hash it?",
    "Fix: const token = tokenizer.next(); if (token === undefined) return;",
    "sk-learn and sk_learn are misspellings of scikit-learn",
    "Meet at 10:30 @ the station; see https://example.com/path:a@b",
    '{"site":"https://example.com","other":"http://example.com:80","mail":"ann@example.com"}',
    "What does `password: string` mean in TypeScript?",
    "hf-transformers-are-great and fw-something-else",
  ])("and none in %s", (text) => {
    expect(saying(text)).toBe("");
  });

  it("and none in a schema that asks for one", () => {
    const text = { type: "string", minLength: 8, pattern: "^[A-Za-z0-9]{12,64}$" };
    const names = ["password", "api_key", "client_secret", "next_page_token", "access_key"];
    const schema = {
      properties: Object.fromEntries(names.map((name) => [name, { ...text, title: name }])),
      required: names,
    };
    const parametersJson = JSON.stringify(schema, undefined, 2);
    expect(objectionTo({ tools: [{ name: "f", parametersJson }], responseFormat: { schema } })).toBe("");
  });
});

describe("in time that grows with the text alone", () => {
  const within = (ms: number, texts: readonly string[], judge = storable) => {
    for (const text of texts) {
      const tookMs = cpuMsOf(() => objectionTo({ messages: [user(text)] }, judge));
      expect(tookMs, text.slice(0, 20)).toBeLessThan(ms);
    }
  };

  it("are secrets sought", () => {
    const bits = [
      "sk-",
      "sk-a",
      "eyJa",
      "://",
      "://a:",
      "Bearer ",
      "password=",
      "password",
      "token: a",
      "?key=",
      "-----BEGIN ",
      "a",
      " ",
      ":",
      "@",
      "key=a",
    ];
    within(
      2_000,
      bits.map((bit) => bit.repeat(Math.floor(1_000_000 / bit.length))),
    );
  });

  it("are tokens sought, however many could begin in a word", () => {
    within(300, ["-eyJ".repeat(150_000), "-eyJaaaaaaaa.".repeat(50_000)]);
  });

  it("are patterns matched that would keep others busy for ever", () => {
    const evil = createStorable({ ...RULES, sensitivePatterns: ["(a+)+$", "(a|a)*b", "(.*)*c"] });
    within(5_000, ["a".repeat(100_000), `${"a".repeat(100_000)}!`], evil);
  });

  it("or not at all, where the text is too long", () => {
    expect(saying("word ".repeat(400_001))).toBe("it is too long to be searched for secrets");
  });
});

it("says what is wrong with a pattern", () => {
  expect(patternFault("(")).toContain("missing closing )");
  expect(patternFault("(?=a)b")).toContain("invalid or unsupported Perl syntax");
  expect(patternFault("a+")).toBeUndefined();
});
