/** What is not among the recordings is built from the documentation: 402, 403, 413, 429 and 5xx. */
import { describe, expect, test } from "vitest";
import { classify } from "../../src/providers/claude/classify.ts";
import { untilLimitsReset } from "../../src/providers/claude/limits.ts";

function body(type: string, message = "No.", error_code?: string): string {
  const details = error_code ? { details: { error_code } } : {};
  return JSON.stringify({ type: "error", error: { ...details, type, message }, request_id: "req_1" });
}

describe("a failure is what Anthropic's documentation says that it is", () => {
  const BLOCKED = "Output blocked by content filtering policy";
  test.each([
    [400, body("invalid_request_error"), "provider_bad_request"],
    [
      400,
      body("invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"),
      "context_too_long",
    ],
    [
      400,
      body("invalid_request_error", "input length and `max_tokens` exceed context limit: 1 + 2 > 2"),
      "context_too_long",
    ],
    [400, body("invalid_request_error", BLOCKED), "content_filtered"],
    [
      400,
      body("invalid_request_error", "Your credit balance is too low to access the API."),
      "quota_exhausted",
    ],
    [400, body("invalid_request_error", "This organization has been disabled."), "provider_auth"],
    [
      400,
      body("invalid_request_error", "You have reached your specified API usage limits."),
      "quota_exhausted",
    ],
    [400, body("invalid_request_error", "x", "organization_on_hold"), "provider_permission"],
    [401, body("authentication_error"), "provider_auth"],
    [402, body("billing_error"), "quota_exhausted"],
    [403, body("permission_error"), "provider_permission"],
    [404, body("not_found_error"), "model_not_found"],
    [409, body("conflict_error"), "provider_error"],
    [413, body("request_too_large"), "provider_bad_request"],
    [429, body("rate_limit_error"), "provider_rate_limited"],
    [429, body("rate_limit_error", "x", "ramp_limit_exceeded"), "provider_rate_limited"],
    [429, body("rate_limit_error", "x", "enforced_spend_limit_reached"), "quota_exhausted"],
    [429, body("rate_limit_error", "x", "contract_spend_limit_reached"), "quota_exhausted"],
    [429, body("rate_limit_error", "You have reached your monthly spend limit."), "quota_exhausted"],
    [500, body("api_error"), "provider_error"],
    [504, body("timeout_error"), "provider_timeout"],
    [529, body("overloaded_error"), "provider_overloaded"],
    // The type is believed before the status.
    [500, body("overloaded_error"), "provider_overloaded"],
  ])("%i %s", (status, text, kind) => {
    const failure = classify(status, {}, text);
    expect(failure.kind).toBe(kind);
    expect(failure.operator).toContain(`HTTP ${status}`);
    expect(failure.operator).toContain("request id req_1");
  });

  test.each([
    [400, "provider_bad_request"],
    [401, "provider_auth"],
    [402, "quota_exhausted"],
    [403, "provider_permission"],
    [404, "model_not_found"],
    [408, "provider_timeout"],
    [418, "provider_bad_request"],
    [429, "provider_rate_limited"],
    [502, "provider_error"],
    [503, "provider_overloaded"],
    [504, "provider_timeout"],
    [529, "provider_overloaded"],
    [302, "provider_error"],
  ])("%i from a proxy in between", (status, kind) => {
    for (const text of ["", "<html>Bad</html>", "[]", '{"error":"x"}'])
      expect(classify(status, { "request-id": "req_2" }, text)).toMatchObject({
        kind,
        operator: expect.stringContaining("request id req_2"),
      });
  });

  test("in Google's words too", () => {
    const error = { code: 429, message: "Quota exceeded", status: "RESOURCE_EXHAUSTED" };
    const failure = classify(429, {}, JSON.stringify([{ error }]));
    expect(failure).toMatchObject({
      kind: "provider_rate_limited",
      operator: expect.stringContaining("Quota"),
    });
  });

  test("and tells the caller what is the caller's alone", () => {
    expect(classify(400, {}, body("invalid_request_error", "messages.0: bad")).message).toBe(
      "messages.0: bad",
    );
    expect(classify(401, {}, body("authentication_error", "invalid x-api-key")).message).not.toContain(
      "x-api-key",
    );
  });
});

describe("when to try again", () => {
  const date = "Sat, 15 Mar 2025 09:38:28 GMT";
  const limits = (kind: string, remaining: string, reset: string) => ({
    [`anthropic-ratelimit-${kind}-remaining`]: remaining,
    [`anthropic-ratelimit-${kind}-reset`]: reset,
  });

  test("is told by retry-after, or else by the limits that are used up", () => {
    const spent = limits("requests", "0", "2025-03-15T09:38:30Z");
    const text = body("rate_limit_error");
    expect(classify(429, { "retry-after": "20", date, ...spent }, text).retryAfterMs).toBe(20_000);
    expect(classify(429, { date, ...spent }, text).retryAfterMs).toBe(2000);
    expect(classify(429, {}, text).retryAfterMs).toBeUndefined();
    expect(classify(529, { date, ...spent }, body("overloaded_error")).retryAfterMs).toBeUndefined();
  });

  test.each([
    [
      "the last of them",
      {
        date,
        ...limits("tokens", "0", "2025-03-15T09:38:40Z"),
        ...limits("requests", "0", "2025-03-15T09:38:30Z"),
      },
      12_000,
    ],
    ["none", { date, ...limits("tokens", "5", "2025-03-15T09:38:40Z") }, undefined],
    ["one in the past", { date, ...limits("input-tokens", "0", "2025-03-15T09:00:00Z") }, 0],
    ["one without a clock", limits("output-tokens", "0", "2025-03-15T09:38:40Z"), undefined],
    ["one that is no date", { date, ...limits("requests", "0", "soon") }, undefined],
  ])("%s", (_, headers, expected) => {
    expect(untilLimitsReset(headers)).toBe(expected);
  });

  test("a limit of money is no limit of rates, by whatever it is known", () => {
    const retryable = { "retry-after": "5" };
    const money = body("rate_limit_error", "This would exceed the workspace's spend limit.");
    expect(classify(429, {}, money).kind).toBe("quota_exhausted");
    expect(classify(429, retryable, money).kind).toBe("provider_rate_limited");
    expect(classify(429, { "x-should-retry": "false" }, body("rate_limit_error")).kind).toBe(
      "quota_exhausted",
    );
    expect(classify(429, retryable, body("rate_limit_error", "x", "enforced_spend_limit_reached")).kind).toBe(
      "quota_exhausted",
    );
  });
});
