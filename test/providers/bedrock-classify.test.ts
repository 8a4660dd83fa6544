/** Failures that nobody recorded are built from AWS's documentation, and say so in their names. */
import { describe, expect, test } from "vitest";
import type { Failure, FailureKind } from "../../src/core/failure.ts";
import { classify } from "../../src/providers/bedrock/classify.ts";
import { BedrockStream } from "../../src/providers/bedrock/stream.ts";

function failureOf(status: number, name: string, message = "Words."): Failure {
  const headers = { "x-amzn-errortype": `${name}:http://internal.amazon.com/coral/com.amazon.bedrock/` };
  return classify(status, { ...headers, "x-amzn-requestid": "id-1" }, JSON.stringify({ message }));
}

describe("an exception by its name (documented)", () => {
  test.each<[number, string, FailureKind]>([
    [429, "ThrottlingException", "provider_rate_limited"],
    [400, "ServiceQuotaExceededException", "quota_exhausted"],
    [408, "ModelTimeoutException", "provider_timeout"],
    [429, "ModelNotReadyException", "provider_overloaded"],
    [424, "ModelErrorException", "provider_error"],
    [424, "ModelStreamErrorException", "provider_error"],
    [500, "InternalServerException", "provider_error"],
    [503, "ServiceUnavailableException", "provider_overloaded"],
    [400, "ValidationException", "provider_bad_request"],
    [400, "SerializationException", "provider_bad_request"],
    [403, "AccessDeniedException", "provider_permission"],
    [404, "ResourceNotFoundException", "model_not_found"],
    [403, "ExpiredTokenException", "provider_auth"],
    [403, "UnrecognizedClientException", "provider_auth"],
    [403, "InvalidSignatureException", "provider_auth"],
    [403, "IncompleteSignatureException", "provider_auth"],
    [400, "MissingAuthenticationTokenException", "provider_auth"],
    [403, "NewException", "provider_permission"],
    [400, "NewException", "provider_bad_request"],
    [500, "NewException", "provider_error"],
  ])("%i %s is %s", (status, name, kind) => {
    const failure = failureOf(status, name);
    expect(failure.kind).toBe(kind);
    for (const fact of [`HTTP ${status}`, name, "id-1", "Words."]) expect(failure.operator).toContain(fact);
  });
});

describe("what one name says of several things, by its words (documented)", () => {
  test.each<[string, string, FailureKind]>([
    ["ValidationException", "Input is too long for requested model.", "context_too_long"],
    ["ValidationException", "prompt is too long: 210000 tokens > 200000 maximum", "context_too_long"],
    [
      "ValidationException",
      "400 Bad Request: Too many input tokens. Max input tokens: 8192",
      "context_too_long",
    ],
    [
      "ValidationException",
      "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000",
      "context_too_long",
    ],
    ["ValidationException", "This model's maximum context length is 8192 tokens.", "context_too_long"],
    [
      "ValidationException",
      "max_tokens: 999999 > 8192, which is the maximum allowed number of output tokens",
      "provider_bad_request",
    ],
    [
      "ValidationException",
      "messages.0.content.1.image.source.base64: image exceeds 5 MB maximum",
      "provider_bad_request",
    ],
    ["ValidationException", "This request has been blocked by our content filters.", "content_filtered"],
    ["ThrottlingException", "Too many tokens per day, please wait before trying again.", "quota_exhausted"],
    ["ThrottlingException", "Too many requests, please wait before trying again.", "provider_rate_limited"],
    [
      "AccessDeniedException",
      "Authentication failed: Please make sure your API Key is valid.",
      "provider_auth",
    ],
  ])("%s: %s", (name, words, kind) => {
    expect(failureOf(400, name, words).kind).toBe(kind);
  });
});

test("a name in the body alone counts as well (documented)", () => {
  const body = JSON.stringify({
    __type: "com.amazon.coral.service#UnrecognizedClientException",
    Message: "The security token included in the request is invalid.",
  });
  const failure = classify(403, {}, body);
  expect(failure).toMatchObject({
    kind: "provider_auth",
    operator: expect.stringContaining("token included"),
  });
});

test("what is no JSON, such as a page of a load balancer, is kept for the operator", () => {
  const failure = classify(503, { "retry-after": "3" }, "<html>Busy</html>");
  expect(failure).toMatchObject({
    kind: "provider_overloaded",
    retryAfterMs: 3000,
    operator: expect.stringContaining("<html>Busy"),
  });
  expect(classify(400, {}, "[]").kind).toBe("provider_bad_request");
});

describe("an exception in the middle of a stream (documented)", () => {
  test.each<[object, FailureKind]>([
    [{ throttlingException: { message: "Too many tokens" } }, "provider_rate_limited"],
    [{ internalServerException: { message: "Oh" } }, "provider_error"],
    [{ serviceUnavailableException: { message: "Oh" } }, "provider_overloaded"],
    [{ validationException: { message: "Input is too long" } }, "context_too_long"],
    [{ modelTimeoutException: { message: "Slow" } }, "provider_timeout"],
    [
      { modelStreamErrorException: { message: "Oh", originalStatusCode: 500, originalMessage: "Deep" } },
      "provider_error",
    ],
    [{ InternalFailure: { message: "of the framing" } }, "provider_error"],
  ])("%j", (frame, kind) => {
    const push = () => new BedrockStream().push(JSON.stringify(frame));
    expect(push).toThrow(expect.objectContaining({ kind, maybePaid: true }));
  });

  test("tells which status the model failed with", () => {
    const frame = { modelStreamErrorException: { originalStatusCode: 424, originalMessage: "Deep" } };
    expect(() => new BedrockStream().push(JSON.stringify(frame))).toThrow(
      expect.objectContaining({ operator: expect.stringMatching(/original status 424.*Deep/) }),
    );
  });
});
