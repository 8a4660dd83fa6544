/** How much of a receipt an error's details carry, whatever was tried before it failed. */
import { create } from "@bufbuild/protobuf";
import { setTrailerStatus } from "@connectrpc/connect/protocol-grpc";
import { describe, expect, it } from "vitest";
import { ErrorInfoSchema } from "../../gen/ts/google/rpc/error_details_pb.ts";
import {
  AttemptSchema,
  CandidateSchema,
  type Receipt,
  ReceiptSchema,
} from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import { Failure } from "../../src/core/failure.ts";
import { toConnectError } from "../../src/rpc/errors.ts";

/** @param model its name, which some providers have longer than others */
function receiptWith(attempts: number, candidates: number, model = "gpt-4o"): Receipt {
  const usage = { inputTokens: 1_000, outputTokens: 1_000, totalTokens: 2_000, provenance: "measured" };
  return create(ReceiptSchema, {
    requestId: "803a576f-ab78-4514-8c94-b2b8e11d7b73",
    cost: { actualPicoUsd: 123_456_789_012n, provenance: "measured" },
    attempts: Array.from({ length: attempts }, (_, n) =>
      create(AttemptSchema, {
        number: n + 1,
        provider: "openai",
        model,
        servedModel: model,
        outcome: "failed",
        failureKind: "provider_overloaded",
        latencyMs: 12_345,
        usage,
        actualPicoUsd: 123_456_789n,
        lineItems: ["input", "output"].map((kind) => ({ kind, count: 1_000n, unitPicoUsd: 2_500_000n })),
        trigger: "retry",
      }),
    ),
    route: {
      policy: "alias",
      candidates: Array.from({ length: candidates }, () =>
        create(CandidateSchema, { provider: "openai", model, reason: "of the fallback chain" }),
      ),
    },
  });
}

function told(receipt: Receipt) {
  const failure = new Failure("provider_overloaded", "the provider has too much to do", { retryAfterMs: 1 });
  failure.receipt = receipt;
  const error = toConnectError(failure);
  const trailer = new Headers();
  setTrailerStatus(trailer, error);
  return {
    receipt: error.findDetails(ReceiptSchema)[0] as Receipt,
    metadata: error.findDetails(ErrorInfoSchema)[0]?.metadata,
    bytes: trailer.get("grpc-status-details-bin")?.length,
  };
}

describe("an error's receipt", () => {
  it.each([
    [60, 60, "gpt-4o"],
    [1_000, 300, `arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/${"x".repeat(60)}`],
  ])(
    "after %i attempts is short enough for clients of gRPC, and says what it lacks",
    (attempts, candidates, model) => {
      const all = receiptWith(attempts, candidates, model);
      const { receipt, metadata, bytes } = told(all);
      expect(bytes).toBeLessThan(7_000);
      expect(receipt.attempts.length).toBeGreaterThanOrEqual(5);
      expect(receipt.attempts).toEqual(all.attempts.slice(-receipt.attempts.length));
      expect(receipt.cost).toEqual(all.cost);
      const first = receipt.route?.candidates.length ?? 0;
      expect(first).toBeGreaterThan(0);
      expect(metadata).toEqual({
        attempts_left_out: String(attempts - receipt.attempts.length),
        candidates_left_out: String(candidates - first),
      });
    },
  );

  it("tells all where that is little", () => {
    const all = receiptWith(9, 6);
    expect(told(all)).toMatchObject({ receipt: all, metadata: {} });
  });
});
