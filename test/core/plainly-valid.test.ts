/** The check at a glance against the validator itself, for whatever a request, a configuration and a catalog can hold. */
import { readFileSync } from "node:fs";
import { create, fromJson, ScalarType } from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import { createValidator } from "@bufbuild/protovalidate";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  BudgetSchema,
  ConfigSchema,
  file_llmgateway_config_v1_config,
  JobsSchema,
} from "../../gen/ts/llmgateway/config/v1/config_pb.ts";
import {
  file_llmgateway_config_v1_prices,
  ModelPricesSchema,
} from "../../gen/ts/llmgateway/config/v1/prices_pb.ts";
import { AdminService } from "../../gen/ts/llmgateway/v1/admin_pb.ts";
import { ChatRequestSchema } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { GatewayService } from "../../gen/ts/llmgateway/v1/gateway_pb.ts";
import { MessageSchema, PartSchema } from "../../gen/ts/llmgateway/v1/message_pb.ts";
import { loadConfig } from "../../src/config/load.ts";
import { plainlyValid } from "../../src/core/plainly-valid.ts";
import { readCatalogFile } from "../../src/cost/catalog-file.ts";
import { messageOf } from "../support/messages.ts";

const validator = createValidator();
const INPUTS = new Map(
  [
    ...[...GatewayService.methods, ...AdminService.methods].map(({ input }) => input),
    ...[file_llmgateway_config_v1_config, file_llmgateway_config_v1_prices].flatMap(
      ({ messages }) => messages,
    ),
  ].map((schema) => [schema.typeName, schema] as const),
);

test.each([...INPUTS])("%s: what is plain is valid", (_, schema) => {
  fc.assert(
    fc.property(
      messageOf(schema, 3, nearTheLimits),
      fc.array(fc.nat(2), { minLength: 30 }),
      (message, absent) => {
        // Of many fields one is nearly always wrong.
        for (const [index, field] of schema.fields.entries())
          if (absent[index]) reflect(schema, message).clear(field);
        if (plainlyValid(schema)(message)) expect(validator.validate(schema, message).kind).toBe("valid");
      },
    ),
    { numRuns: 200 },
  );
});

describe("what callers send every day is plain", () => {
  const chat = (more: object) =>
    fromJson(ChatRequestSchema, { messages: [{ role: "user", content: "Hi" }], model: "openai", ...more });
  test.each([
    ["a question", chat({})],
    ["with parameters", chat({ parameters: { temperature: 0.7, max_tokens: 1_000, stop: ["x"] } })],
    ["with limits", chat({ max_cost_usd: 0.1, timeout_ms: 5_000, resilience: { max_retries: 0 } })],
    ["with labels", chat({ metadata: { team: "search" }, cache: "use", session_id: "a" })],
    ["with a picture", chat({ messages: [{ role: "user", parts: [{ text: "What is it?" }] }] })],
    [
      "with a tool",
      chat({ tools: [{ name: "lookup", parameters: { type: "object" } }], tool_choice: "auto" }),
    ],
  ])("%s", (_, request) => {
    expect(validator.validate(ChatRequestSchema, request).kind).toBe("valid");
    expect(plainlyValid(ChatRequestSchema)(request)).toBe(true);
  });
});

describe("what is read at the start is plain, since the validator takes a tenth of a second to begin", () => {
  test.each([undefined, "docs/configuration.example.yaml"])("a configuration: %s", (file) => {
    const config = loadConfig({ file, env: {} });
    expect(plainlyValid(ConfigSchema)(config as never)).toBe(true);
  });

  test("the catalog", () => {
    const { providers } = readCatalogFile(readFileSync("docs/price-catalog.json", "utf8"), "catalog");
    const rows = providers.flatMap(([, models]) => models.flatMap(({ rows }) => rows));
    expect(rows.length).toBeGreaterThan(100);
    expect(rows.filter((row) => !plainlyValid(ModelPricesSchema)(row))).toEqual([]);
  });
});

describe("what is wrong is not plain", () => {
  test.each([
    ["no such role", MessageSchema, { role: "robot" }],
    ["too long a name", MessageSchema, { role: "user", name: "x".repeat(257) }],
    ["an empty part", PartSchema, {}],
    ["in a list", ChatRequestSchema, { messages: [{ role: "user" }, { role: "" }] }],
    ["too many labels", ChatRequestSchema, { metadata: labels(33) }],
    ["a name that is none", ChatRequestSchema, { tools: [{ name: "look up" }] }],
    ["two of one kind", ChatRequestSchema, { tools: [{ name: "a", parameters: {}, parameters_json: "{}" }] }],
    ["a label without a name", ChatRequestSchema, { metadata: { "": "x" } }],
    ["a number on the limit", ChatRequestSchema, { max_cost_usd: 0 }],
    ["a number beyond it", ChatRequestSchema, { parameters: { temperature: 1e9 } }],
    ["a time that is too short", JobsSchema, { result_ttl: "0.999999999s" }],
    ["twice the same", BudgetSchema, { name: "b", limit_usd: 1, per: "day", warn_at: [0.5, 0.8, 0.5] }],
    ["a limit without end", BudgetSchema, { name: "b", limit_usd: "Infinity", per: "day" }],
    ["a name that is kept for others", ModelPricesSchema, { service_tiers: { default: { prices: {} } } }],
  ])("%s", (_, schema, json) => {
    const message = fromJson(schema, json as never);
    expect(validator.validate(schema, message).kind).toBe("invalid");
    expect(plainlyValid(schema)(message)).toBe(false);
  });

  test("a message that was never given", () => {
    expect(plainlyValid(PartSchema)(create(PartSchema))).toBe(false);
  });
});

function labels(count: number): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`label-${index}`, ""]));
}

/** Words and numbers of which about half are allowed wherever there is a rule. */
function nearTheLimits(type: ScalarType): fc.Arbitrary<unknown> {
  const numbers = [-1, 0, 1, 2, 10, 11, 100, 1_000, 1_001, 86_400_000, 86_400_001];
  switch (type) {
    case ScalarType.BOOL:
      return fc.boolean();
    case ScalarType.BYTES:
      return fc.uint8Array({ maxLength: 2 });
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return fc.constantFrom(...numbers, 0.5, Number.NaN, Infinity);
    case ScalarType.INT64:
      return fc.constantFrom(...numbers.map(BigInt));
    case ScalarType.INT32:
      return fc.constantFrom(...numbers);
    default:
      return fc.constantFrom(...WORDS, ...NAMES);
  }
}

/** Of some form that a rule asks for, and almost. */
const NAMES = [
  ...["", "user", "use", "5m", "low", "auto", "text", "123", "day", "hard", "default", "fallback"],
  ...["2026-11-30", "2026-11-3", "2026-11-30T12:00:00Z", "2026-11-30T12:00:00.5+01:00", "2026-11-30T12:00Z"],
  ...[
    "openai/gpt-4o",
    "a@b",
    "tag:x",
    "tag:",
    "tag:\u{1f600}",
    "tag:a\rb",
    "tag:a\nb",
    "x\n",
    "é",
    "K",
    "a b",
  ],
  ...[
    "https://example.com",
    "http://",
    "ftp://x",
    "*.example.com",
    "10.0.0.0/8",
    "a".repeat(64).replaceAll("a", "f0"),
  ],
];

const WORDS = [63, 64, 65, 128, 255, 256, 257].flatMap((length) => [
  "x".repeat(length),
  "\u{1f600}".repeat(length),
]);
