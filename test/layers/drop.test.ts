import type { MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import type { ChatRequest, ChatRequestSchema } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { isDroppable, withoutFields } from "../../src/core/droppable.ts";
import { Failure, invalidRequest } from "../../src/core/failure.ts";
import { drop } from "../../src/layers/drop.ts";
import { attemptCallOf, callOf, chatOf, replyOf } from "../support/call.ts";

type Request = MessageInitShape<typeof ChatRequestSchema>;

const refused = (...fields: string[]) =>
  invalidRequest(fields.map((field) => ({ field, description: "is not known to this provider" })));

/** A provider that throws these one after another, and then answers. */
async function call(request: Request, failures: readonly Failure[], drops = true) {
  const call = attemptCallOf({ request });
  const asked: ChatRequest[] = [];
  const left = [...failures];
  const failure = await drop((provider) => drops && provider === "openai")(async (below) => {
    asked.push(chatOf(below));
    const next = left.shift();
    if (next) throw next;
    return replyOf([]);
  })(call).then(
    () => undefined,
    (error: unknown) => error,
  );
  return { asked, failure, dropped: call.tally.dropped };
}

const PARAMETERS = { parameters: { seed: 7n, topK: 3, temperature: 0.5 } };

describe("what a provider refuses to encode", () => {
  it("is left out once, all of it, and told", async () => {
    const first = refused("parameters.seed", "parameters.top_k");
    const { asked, failure, dropped } = await call(PARAMETERS, [first]);
    expect(failure).toBeUndefined();
    expect(asked).toHaveLength(2);
    expect(asked[0]?.parameters).toMatchObject(PARAMETERS.parameters);
    expect(asked[1]?.parameters).toMatchObject({ temperature: 0.5 });
    expect(asked[1]?.parameters?.seed).toBeUndefined();
    expect(asked[1]?.parameters?.topK).toBeUndefined();
    expect(dropped).toEqual(["parameters.seed", "parameters.top_k"]);
  });

  it.each([
    ["once more after that", PARAMETERS, [refused("parameters.seed"), refused("parameters.seed")], 2],
    ["with what is not advice", PARAMETERS, [refused("parameters.seed", "parameters.choices")], 1],
    ["for no field at all", PARAMETERS, [new Failure("invalid_request", "no")], 1],
    [
      "by its own words",
      PARAMETERS,
      [new Failure("provider_bad_request", "no", { violations: refused("parameters.seed").violations })],
      1,
    ],
  ])("is refused %s", async (_, request, failures, times) => {
    const { asked, failure } = await call(request, failures);
    expect(asked).toHaveLength(times);
    expect(failure).toBe(failures.at(-1));
  });

  it("is refused where the configuration does not say otherwise", async () => {
    const first = refused("parameters.seed");
    const { asked, failure, dropped } = await call(PARAMETERS, [first], false);
    expect([asked.length, failure, dropped]).toEqual([1, first, []]);
  });
});

describe("may be left out", () => {
  const parameters = {
    temperature: 0.5,
    topP: 0.5,
    topK: 3,
    seed: 7n,
    presencePenalty: 1,
    frequencyPenalty: 1,
    parallelToolCalls: true,
    reasoningBudgetTokens: 9,
    reasoningEffort: "low",
    serviceTier: "flex",
    maxTokens: 5,
    stop: ["x"],
    choices: 2,
  };
  const responseFormat = { type: "json_schema", schemaJson: "{}", description: "d" };
  const request = chatOf(callOf({ request: { tools: [{ name: "t" }], parameters, responseFormat } }));

  it.each<[string, (request: ChatRequest) => unknown]>([
    ["parameters.temperature", (r) => r.parameters?.temperature],
    ["parameters.top_p", (r) => r.parameters?.topP],
    ["parameters.top_k", (r) => r.parameters?.topK],
    ["parameters.seed", (r) => r.parameters?.seed],
    ["parameters.presence_penalty", (r) => r.parameters?.presencePenalty],
    ["parameters.frequency_penalty", (r) => r.parameters?.frequencyPenalty],
    ["parameters.parallel_tool_calls", (r) => r.parameters?.parallelToolCalls],
    ["parameters.reasoning_budget_tokens", (r) => r.parameters?.reasoningBudgetTokens],
    ["parameters.reasoning_effort", (r) => r.parameters?.reasoningEffort],
    ["parameters.service_tier", (r) => r.parameters?.serviceTier],
    ["parameters.max_tokens", (r) => r.parameters?.maxTokens],
    ["response_format", (r) => r.responseFormat],
    ["response_format.type", (r) => r.responseFormat],
    ["response_format.description", (r) => r.responseFormat?.description],
  ])("%s, and nothing beside it", (field, read) => {
    const { tally } = callOf();
    const before = structuredClone(request);
    const less = withoutFields(request, [field, field], tally);
    expect(isDroppable(field)).toBe(true);
    expect(read(request)).toBeTruthy();
    expect(read(less)).toBeFalsy();
    expect(tally.dropped).toEqual([field]);
    expect(request).toEqual(before);
    const count = (of: object | undefined) => Object.values(of ?? {}).filter(Boolean).length;
    const all = (of: ChatRequest) => count(of.parameters) + count(of.responseFormat);
    const gone = less.responseFormat ? 1 : count(request.responseFormat);
    expect(all(request) - all(less)).toBe(gone);
  });

  it("the type of texts that become vectors", () => {
    const { request, tally } = callOf({ embed: { input: ["Hello"], inputType: "similarity" } });
    const less = withoutFields(request, ["input_type"], tally);
    expect(less).toEqual({ ...request, inputType: "" });
    expect(request).toMatchObject({ inputType: "similarity" });
    expect(tally.dropped).toEqual(["input_type"]);
  });

  it.each([
    "dimensions",
    "tools",
    "messages[0].parts[0].image",
    "parameters.choices",
    "parameters.stop",
    "model",
    "response_format.schema_json",
    "constructor",
    "",
  ])("not %j", (field) => {
    expect(isDroppable(field)).toBe(false);
  });
});
