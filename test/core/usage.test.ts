import { toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { UsageSchema } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import { sumOf, usage } from "../../src/core/usage.ts";

it("adds the total up by itself, from input and output alone", () => {
  const counted = usage("measured", {
    inputTokens: 10,
    outputTokens: 5,
    cachedInputTokens: 4,
    cacheWriteTokens: 3,
    reasoningTokens: 2,
  });
  expect(counted).toMatchObject({ totalTokens: 15, provenance: "measured", serviceTier: "" });
  expect(counted).toMatchObject({ cachedInputTokens: 4, cacheWriteTokens: 3, reasoningTokens: 2 });
});

it("is a whole message when nothing is known but where it comes from", () => {
  const nothing = usage("unknown");
  expect(nothing).toMatchObject({ inputTokens: 0, outputTokens: 0, totalTokens: 0, provenance: "unknown" });
  expect(() => toBinary(UsageSchema, nothing)).not.toThrow();
});

it("is a message whatever a provider counts, part by part", () => {
  const most = 2 ** 31 - 1;
  const counted = usage("measured", {
    inputTokens: most + most,
    cachedInputTokens: most,
    outputTokens: most + 1,
  });
  expect(counted).toMatchObject({ inputTokens: most, outputTokens: most, totalTokens: most });
  expect(() => toBinary(UsageSchema, counted)).not.toThrow();
});

describe("a sum", () => {
  const measured = usage("measured", { inputTokens: 10, cachedInputTokens: 4, outputTokens: 1 });

  it("is measured when all of it is", () => {
    expect(sumOf([measured, measured])).toEqual(
      usage("measured", { inputTokens: 20, cachedInputTokens: 8, outputTokens: 2 }),
    );
  });

  it("is estimated when some of it is", () => {
    expect(sumOf([measured, usage("estimated", { inputTokens: 5 })])).toMatchObject({
      inputTokens: 15,
      totalTokens: 16,
      provenance: "estimated",
    });
  });
});
