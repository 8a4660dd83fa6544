/** Failures as Google's documentation has them; those that somebody recorded are in test/recordings. */
import { expect, test } from "vitest";
import { classify } from "../../src/providers/gemini/classify.ts";

const RPC = "type.googleapis.com/google.rpc.";
const info = (reason: string, metadata: object = {}) => ({ "@type": `${RPC}ErrorInfo`, reason, metadata });
const quota = (quotaId: string) => ({ "@type": `${RPC}QuotaFailure`, violations: [{ quotaId }] });

function failureOf(status: number, code: string, message = "no", details: readonly object[] = []) {
  return classify(status, {}, JSON.stringify({ error: { code: status, message, status: code, details } }));
}

test.each([
  [400, "INVALID_ARGUMENT", "provider_bad_request"],
  [400, "FAILED_PRECONDITION", "provider_permission"],
  [400, "OUT_OF_RANGE", "provider_bad_request"],
  [401, "UNAUTHENTICATED", "provider_auth"],
  [403, "PERMISSION_DENIED", "provider_permission"],
  [404, "NOT_FOUND", "model_not_found"],
  [429, "RESOURCE_EXHAUSTED", "provider_rate_limited"],
  [499, "CANCELLED", "provider_error"],
  [500, "INTERNAL", "provider_error"],
  [500, "UNKNOWN", "provider_error"],
  [503, "UNAVAILABLE", "provider_overloaded"],
  [504, "DEADLINE_EXCEEDED", "provider_timeout"],
])("documented: %s %s is %s", (status, code, kind) => {
  expect(failureOf(status, code).kind).toBe(kind);
});

test.each([
  ["API_KEY_INVALID", "provider_auth"],
  ["ACCESS_TOKEN_EXPIRED", "provider_auth"],
  ["ACCESS_TOKEN_SCOPE_INSUFFICIENT", "provider_auth"],
  ["API_KEY_IP_ADDRESS_BLOCKED", "provider_permission"],
  ["SERVICE_DISABLED", "provider_permission"],
  ["BILLING_DISABLED", "quota_exhausted"],
])("documented: the reason %s is %s, whatever the code", (reason, kind) => {
  expect(failureOf(400, "INVALID_ARGUMENT", "no", [info(reason)]).kind).toBe(kind);
});

test.each([
  ["GenerateRequestsPerMinutePerProjectPerModel", "provider_rate_limited"],
  ["GenerateRequestsPerDayPerProjectPerModel-FreeTier", "quota_exhausted"],
])("documented: the quota %s is %s", (quotaId, kind) => {
  const failure = failureOf(429, "RESOURCE_EXHAUSTED", "no", [quota(quotaId)]);
  expect(failure.kind).toBe(kind);
  expect(failure.operator).toContain(`quota ${quotaId}`);
  const byLimit = info("RATE_LIMIT_EXCEEDED", { quota_limit: quotaId });
  expect(failureOf(429, "RESOURCE_EXHAUSTED", "no", [byLimit]).kind).toBe(kind);
});

test("documented: credits that are used up come back when somebody pays", () => {
  const message = "Your prepayment credits are depleted. Please go to AI Studio.";
  expect(failureOf(429, "RESOURCE_EXHAUSTED", message).kind).toBe("quota_exhausted");
});

test.each([
  "The input token count (9) exceeds the maximum number of tokens allowed (8).",
  "The input token count is 9 but model only supports up to 8",
])("documented: %s", (message) => {
  expect(failureOf(400, "INVALID_ARGUMENT", message)).toMatchObject({ kind: "context_too_long", message });
});

test.each([
  [{ retryDelay: "48s" }, 48_000],
  [{ retryDelay: "0.5s" }, 500],
  [{ retryDelay: { seconds: "2", nanos: 500_000_000 } }, 2_500],
  [{ retryDelay: "soon" }, undefined],
])("documented: %j", (detail, ms) => {
  expect(failureOf(429, "RESOURCE_EXHAUSTED", "no", [detail]).retryAfterMs).toBe(ms);
});

test("a delay that stands in the words alone, or in a header", () => {
  expect(failureOf(429, "RESOURCE_EXHAUSTED", "Please retry in 1.25s.").retryAfterMs).toBe(1_250);
  expect(classify(503, { "retry-after": "3" }, "").retryAfterMs).toBe(3_000);
});

test("an error in a list, as it answers a stream that is one", () => {
  const body = JSON.stringify([{ error: { code: 404, message: "not there", status: "NOT_FOUND" } }]);
  expect(classify(404, {}, body)).toMatchObject({ kind: "model_not_found", message: "not there" });
});

test("a page of a proxy, which has nothing but its status", () => {
  const failure = classify(502, {}, "<html>Bad Gateway</html>");
  expect(failure).toMatchObject({ kind: "provider_error", message: "the provider failed" });
  expect(failure.operator).toBe("HTTP 502: <html>Bad Gateway</html>");
  expect(classify(413, {}, "<html>").kind).toBe("provider_bad_request");
});

test("a key that Google found in public is no key any more", () => {
  const words = "Your API key was reported as leaked. Please use another API key.";
  expect(failureOf(403, "PERMISSION_DENIED", words).kind).toBe("provider_auth");
});

test("what the operator must mend is not told to the caller", () => {
  const failure = failureOf(403, "PERMISSION_DENIED", "project 1234 is not allowed");
  expect(failure.message).toBe("the provider does not permit this to the gateway");
  expect(failure.operator).toBe("HTTP 403, status PERMISSION_DENIED: project 1234 is not allowed");
});
