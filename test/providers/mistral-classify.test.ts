/** Failures of Mistral, from its documentation and from what users of its clients have printed; the rest is recorded. */
import { describe, expect, test } from "vitest";
import { mistralDialect } from "../../src/providers/mistral/dialect.ts";

function classify(status: number, body: object | string, headers: Record<string, string> = {}) {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return mistralDialect.classify(status, headers, text);
}

function flat(message: unknown, type: string, code: string | null = null) {
  return { object: "error", message, type, param: null, code };
}

describe("from documentation and reports:", () => {
  test.each<[string, number, object | string, string]>([
    [
      "a limit of requests, from the gateway in front",
      429,
      { message: "Requests rate limit exceeded" },
      "provider_rate_limited",
    ],
    [
      "a limit, from the API",
      429,
      flat("Rate limit exceeded", "rate_limited", "1300"),
      "provider_rate_limited",
    ],
    [
      "a full backend",
      429,
      flat("Service tier capacity exceeded for this model.", "service_tier_capacity_exceeded", "3505"),
      "provider_overloaded",
    ],
    [
      "a full backend that has no name for it",
      429,
      flat("Service tier capacity exceeded for this model.", "invalid_request_error"),
      "provider_overloaded",
    ],
    ["a full backend by its status", 503, flat("Service tier capacity exceeded", "x"), "provider_overloaded"],
    ["no key", 401, { detail: "Unauthorized" }, "provider_auth"],
    ["no right", 403, { detail: "Forbidden" }, "provider_permission"],
    ["no money", 402, { message: "Payment required" }, "quota_exhausted"],
    [
      "a long prompt",
      400,
      flat(
        "Prompt contains 40000 tokens, too large for model with 32768 maximum context length",
        "invalid_request_prompt",
        "3051",
      ),
      "context_too_long",
    ],
    [
      "roles out of order",
      400,
      flat("Unexpected role 'user' after role 'tool'", "invalid_request_message_order", "3230"),
      "provider_bad_request",
    ],
    ["a broken server", 500, flat("Service unavailable.", "internal_server_error", "1000"), "provider_error"],
    ["a page of a proxy", 502, "<html>Bad gateway</html>", "provider_error"],
  ])("%s", (_, status, body, kind) => {
    expect(classify(status, body).kind).toBe(kind);
  });

  test.each([
    [{ detail: [{ type: "missing", loc: ["body", "messages"], msg: "Field required" }] }],
    [
      flat(
        { detail: [{ type: "missing", loc: ["body", "messages"], msg: "Field required" }] },
        "invalid_request_error",
      ),
    ],
  ])("what is wrong with a field: %j", (body) => {
    const failure = classify(422, body);
    expect(failure).toMatchObject({ kind: "provider_bad_request", message: "body.messages: Field required" });
  });

  test.each([
    [{ "retry-after": "3" }, 3_000],
    [{ "ratelimit-reset": "7" }, 7_000],
    [{ "ratelimitbysize-reset": "15" }, 15_000],
    [{ "retry-after": "3", "ratelimit-reset": "7" }, 3_000],
    [{}, undefined],
  ])("when to try again: %j", (headers, ms) => {
    expect(classify(429, { message: "Requests rate limit exceeded" }, headers).retryAfterMs).toBe(ms);
  });

  test("a reset says nothing of what is no limit", () => {
    expect(classify(500, "", { "ratelimit-reset": "7" }).retryAfterMs).toBeUndefined();
  });
});

test("the operator reads the request's id", () => {
  const failure = classify(401, { detail: "Invalid API Key" }, { "mistral-correlation-id": "01a0" });
  expect(failure.operator).toBe("HTTP 401, request id 01a0: Invalid API Key");
  expect(failure.message).not.toContain("Key");
});
