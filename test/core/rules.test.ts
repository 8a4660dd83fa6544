/** What callers are told of the rules that their requests break. */
import { create, type DescMessage, getOption } from "@bufbuild/protobuf";
import { expect, it } from "vitest";
import { type FieldRules, field as rulesOfField } from "../../gen/ts/buf/validate/validate_pb.ts";
import { AdminService } from "../../gen/ts/llmgateway/v1/admin_pb.ts";
import { GatewayService } from "../../gen/ts/llmgateway/v1/gateway_pb.ts";
import { GetUsageRequestSchema } from "../../gen/ts/llmgateway/v1/usage_pb.ts";
import { patternWords } from "../../src/core/pattern-words.ts";
import { brokenRules } from "../../src/core/rules.ts";

function patternsIn(message: DescMessage, seen = new Set<DescMessage>()): string[] {
  if (seen.has(message)) return [];
  seen.add(message);
  return message.fields.flatMap((field) => [
    ...patternsOf(getOption(field, rulesOfField)),
    ...(field.message ? patternsIn(field.message, seen) : []),
  ]);
}

function patternsOf({ type }: FieldRules): string[] {
  if (type.case === "string") return type.value.pattern ? [type.value.pattern] : [];
  const inner =
    type.case === "repeated"
      ? [type.value.items]
      : type.case === "map"
        ? [type.value.keys, type.value.values]
        : [];
  return inner.flatMap((rules) => (rules ? patternsOf(rules) : []));
}

it("has words for each regular expression that requests are to match", () => {
  const patterns = [GatewayService, AdminService].flatMap(({ methods }) =>
    methods.flatMap(({ input }) => patternsIn(input)),
  );
  expect(patterns.length).toBeGreaterThan(5);
  expect(patterns.filter((pattern) => !patternWords(pattern))).toEqual([]);
});

it("tells in words what a text is to be", () => {
  const request = create(GetUsageRequestSchema, { groupBy: ["modle"], tags: ["a"] });
  const told = brokenRules(GetUsageRequestSchema, request).map(({ message }) => message);
  expect(told).toContain(
    "must be one of provider, model, operation, tenant, key, route, hour, day and tag:NAME",
  );
  expect(told.join()).not.toContain("regex");
});
