import { Code } from "@connectrpc/connect";
import { codeToHttpStatus } from "@connectrpc/connect/protocol-connect";
import { describe, expect, it } from "vitest";
import { FAILURES, Failure, type FailureKind, invalidRequest, toFailure } from "../../src/core/failure.ts";

const kinds = Object.keys(FAILURES) as FailureKind[];

/** HTTP has a status of its own for these, where the RPC protocols have only a neighbour's code. */
const OWN_STATUS: Readonly<Partial<Record<FailureKind, number>>> = {
  method_not_allowed: 405,
  unsupported_media_type: 415,
  payload_too_large: 413,
};

describe("the table of failures", () => {
  it.each(kinds)("%s has a code and the HTTP status that goes with it", (kind) => {
    const { code, http } = FAILURES[kind];
    expect(Code[code]).toBeTypeOf("string");
    expect(http).toBe(OWN_STATUS[kind] ?? codeToHttpStatus(code));
  });

  it.each(kinds)("%s blames the caller only with a status that blames it", (kind) => {
    const { faultOf, http } = FAILURES[kind];
    if (faultOf === "provider" || faultOf === "operator") expect([429, 500, 503, 504]).toContain(http);
  });

  it.each(kinds)(
    "%s is worth another try only if that is nobody's fault, the provider's, or passes with time",
    (kind) => {
      const { retryable, faultOf } = FAILURES[kind];
      const passing = [
        "rate_limited",
        "budget_unavailable",
        "job_queue_full",
        "job_not_ended",
        "jobs_unavailable",
        "database_unavailable",
        "idempotency_unavailable",
        "moderation_unavailable",
        "concurrency_limited",
        "slow_reader",
      ];
      if (retryable && !passing.includes(kind)) expect(["provider", "nobody"]).toContain(faultOf);
    },
  );

  it("sends to another target what the provider or its model is at fault for, and nothing that would fail there too", () => {
    const elsewhere = kinds.filter((kind) => FAILURES[kind].elsewhere);
    expect(elsewhere.sort()).toEqual([
      "circuit_open",
      "concurrency_limited",
      "context_too_long",
      "cut",
      "malformed_reply",
      "model_not_found",
      "provider_auth",
      "provider_error",
      "provider_overloaded",
      "provider_permission",
      "provider_rate_limited",
      "provider_timeout",
      "provider_unavailable",
      "quota_exhausted",
      "stream_too_slow",
      "unpriced_model",
      "unreachable",
    ]);
  });

  it("knows which failures may have been paid for", () => {
    const paid = kinds.filter((kind) => FAILURES[kind].maybePaid);
    expect(paid.sort()).toEqual([
      "cancelled",
      "cut",
      "deadline_exceeded",
      "hedge_lost",
      "internal",
      "malformed_reply",
      "provider_timeout",
      "shutting_down",
      "stream_too_slow",
    ]);
  });
});

describe("Failure", () => {
  it("has the traits of its kind", () => {
    expect(new Failure("cut", "gone").traits).toBe(FAILURES.cut);
  });

  it("repeats the first of several violations, and how many more there are", () => {
    const violations = [
      { field: "model", description: "is missing" },
      { field: "messages", description: "is empty" },
    ];
    const failure = invalidRequest(violations);
    expect(failure).toMatchObject({
      kind: "invalid_request",
      message: "model: is missing (and 1 more)",
      violations,
    });
    expect(invalidRequest([{ field: "", description: "no JSON" }]).message).toBe("no JSON");
  });

  it("tells the first of many violations, and counts them all", () => {
    const violations = Array.from({ length: 10_000 }, (_, index) => ({
      field: `messages[${index}].role`,
      description: "is none",
    }));
    const failure = invalidRequest(violations);
    expect(failure.violations).toEqual(violations.slice(0, 20));
    expect(failure.message).toBe("messages[0].role: is none (and 9999 more)");
  });

  it("tells the begin of a field's name that a caller made long, in whole characters", () => {
    const failure = invalidRequest([{ field: `metadata["${"😀".repeat(9_000)}"]`, description: "is none" }]);
    const begin = `metadata["${"😀".repeat(22)}…`;
    expect(failure.violations).toEqual([{ field: begin, description: "is none" }]);
    expect(failure.message).toBe(`${begin}: is none`);
  });
});

describe("toFailure", () => {
  it("leaves a failure as it is", () => {
    const failure = new Failure("cut", "gone");
    expect(toFailure(failure)).toBe(failure);
  });

  it("tells the caller nothing of what nobody foresaw, and the operator everything", () => {
    const cause = new TypeError("x is not a function");
    const failure = toFailure(cause);
    expect(failure.kind).toBe("internal");
    expect(failure.message).not.toContain("x is not");
    expect(failure.operator).toContain("TypeError: x is not a function");
    expect(failure.operator).toContain("failure.test.ts");
    expect(failure.cause).toBe(cause);
    expect(toFailure("just text").operator).toBe("just text");
  });
});
