import { create, toBinary, toJson } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import {
  CostSchema,
  type Receipt,
  ReceiptSchema,
  RouteSchema,
} from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import type { PicoUsd } from "../../src/core/money.ts";
import { receiptOf } from "../../src/core/receipt.ts";
import { usage } from "../../src/core/usage.ts";
import { attemptOf, callOf } from "../support/call.ts";

function receiptFor(...attempts: ReturnType<typeof attemptOf>[]): Receipt {
  const call = callOf();
  call.tally.attempts.push(...attempts);
  return receiptOf(call);
}

const measured = (inputTokens: number, outputTokens: number) =>
  usage("measured", { inputTokens, outputTokens });

describe("the cost of a call", () => {
  it("is the sum over all attempts, tokens and money alike", () => {
    const { cost } = receiptFor(
      attemptOf({ outcome: "failed", usage: measured(10, 1), actualPicoUsd: 35_000n, actualUsd: 3.5e-8 }),
      attemptOf({
        outcome: "ok",
        usage: usage("measured", {
          inputTokens: 20,
          outputTokens: 7,
          cachedInputTokens: 5,
          cacheWriteTokens: 4,
          reasoningTokens: 3,
        }),
        actualPicoUsd: 1n,
        actualUsd: 1e-12,
      }),
    );
    expect(cost).toMatchObject({
      inputTokens: 30,
      outputTokens: 8,
      totalTokens: 38,
      cachedInputTokens: 5,
      cacheWriteTokens: 4,
      reasoningTokens: 3,
      actualPicoUsd: 35_001n,
      actualUsd: 0.000000035001,
      provenance: "measured",
    });
  });

  it("is absent, not 0, as soon as that of one attempt is not known", () => {
    const { cost } = receiptFor(
      attemptOf({ outcome: "ok", usage: measured(10, 1), actualPicoUsd: 35_000n }),
      attemptOf({ outcome: "ok", usage: measured(10, 1) }),
    );
    expect(cost?.provenance).toBe("unknown");
    expect(cost).not.toHaveProperty("actualPicoUsd");
    expect(cost).not.toHaveProperty("actualUsd");
    const json = toJson(CostSchema, cost ?? create(CostSchema), {
      alwaysEmitImplicit: true,
      useProtoFieldName: true,
    });
    expect(json).not.toHaveProperty("actual_usd");
    expect(json).toMatchObject({ input_tokens: 20, output_tokens: 2, saved_usd: 0 });
  });

  it("is not known while an attempt is pending", () => {
    expect(receiptFor(attemptOf()).cost).toMatchObject({ provenance: "unknown" });
  });

  it("is 0 when no provider was called", () => {
    expect(receiptFor().cost).toMatchObject({ actualPicoUsd: 0n, actualUsd: 0, provenance: "measured" });
  });

  it("is an estimate when any part of it is", () => {
    const { cost } = receiptFor(
      attemptOf({ usage: usage("estimated", { inputTokens: 9 }), actualPicoUsd: 9n }),
      attemptOf({ usage: measured(10, 1), actualPicoUsd: 1n }),
    );
    expect(cost).toMatchObject({ provenance: "estimated", actualPicoUsd: 10n });
  });

  it("has the estimate from before beside it, and the version of the prices", () => {
    const call = callOf();
    Object.assign(call.tally, { estimated: 1_500_000n as PicoUsd, priceVersion: "2026-01-01" });
    expect(receiptOf(call).cost).toMatchObject({
      estimatedPicoUsd: 1_500_000n,
      estimatedUsd: 0.0000015,
      priceVersion: "2026-01-01",
    });
    expect(receiptOf(callOf()).cost).not.toHaveProperty("estimatedUsd");
  });
});

describe("a receipt", () => {
  it("names the request, its route, and the one that served last", () => {
    const call = callOf({ context: { requestId: "r-7" } });
    call.tally.route = create(RouteSchema, { policy: "explicit", reason: "named" });
    call.tally.attempts.push(attemptOf(), attemptOf({ number: 2, provider: "azure", model: "gpt-4" }));
    expect(receiptOf(call)).toMatchObject({
      requestId: "r-7",
      provider: "azure",
      model: "gpt-4",
      route: { policy: "explicit" },
      attempts: [{ number: 1 }, { number: 2 }],
    });
  });

  it("keeps what was true when it was written", () => {
    const call = callOf();
    const attempt = attemptOf();
    call.tally.attempts.push(attempt);
    const receipt = receiptOf(call);
    attempt.outcome = "ok";
    expect(receipt.attempts[0]?.outcome).toBe("pending");
    expect(() => toBinary(ReceiptSchema, receipt)).not.toThrow();
  });
});
