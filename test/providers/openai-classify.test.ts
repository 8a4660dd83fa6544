import type { IncomingHttpHeaders } from "node:http";
import { describe, expect, test } from "vitest";
import type { FailureKind } from "../../src/core/failure.ts";
import { classify } from "../../src/providers/openai/classify.ts";
import { retryAfterMs } from "../../src/wire/retry_after.ts";

interface Case {
  readonly says: string;
  readonly status: number;
  readonly body: string;
  readonly kind: FailureKind;
}

function error(fields: object): string {
  return JSON.stringify({ error: fields });
}

/** Taken from documentation, as nobody has recorded them; the recorded ones are replayed in test/recordings. */
const DOCUMENTED: readonly Case[] = [
  {
    says: "OpenAI's rate limit",
    status: 429,
    body: error({ message: "Rate limit reached", type: "tokens", code: "rate_limit_exceeded" }),
    kind: "provider_rate_limited",
  },
  {
    says: "OpenAI's used-up quota, which is a 429 too",
    status: 429,
    body: error({
      message: "You exceeded your quota",
      type: "insufficient_quota",
      code: "insufficient_quota",
    }),
    kind: "quota_exhausted",
  },
  {
    says: "OpenAI's server error",
    status: 500,
    body: error({ message: "The server had an error", type: "server_error" }),
    kind: "provider_error",
  },
  {
    says: "OpenAI's overload",
    status: 503,
    body: error({ message: "The engine is currently overloaded", type: "server_error" }),
    kind: "provider_overloaded",
  },
  {
    says: "OpenAI's unsupported country",
    status: 403,
    body: error({ message: "Country not supported", code: "unsupported_country_region_territory" }),
    kind: "provider_permission",
  },
  {
    says: "OpenAI's full context",
    status: 400,
    body: error({ message: "Too long", type: "invalid_request_error", code: "context_length_exceeded" }),
    kind: "context_too_long",
  },
  {
    says: "xAI's wrong key, which is a 400",
    status: 400,
    body: JSON.stringify({
      code: "Client specified an invalid argument",
      error: "Incorrect API key provided: na***ys. You can obtain an API key from https://console.x.ai.",
    }),
    kind: "provider_auth",
  },
  ...[429, 403].map(
    (status): Case => ({
      says: "xAI's used-up credits",
      status,
      body: JSON.stringify({
        code: "permission-denied",
        error: "Your team 1 has either used all available credits or reached its monthly spending limit.",
      }),
      kind: "quota_exhausted",
    }),
  ),
  {
    says: "xAI's team without credits",
    status: 403,
    body: JSON.stringify({
      error: "Your newly created team doesn't have any credits or licenses yet.",
    }),
    kind: "quota_exhausted",
  },
  {
    says: "xAI's full context",
    status: 400,
    body: JSON.stringify({
      code: "Client specified an invalid argument",
      error: "This model's maximum prompt length is 131072 but the request contains 537812 tokens.",
    }),
    kind: "context_too_long",
  },
  ...[
    "The input (516368 tokens) is longer than the model's context length (262144 tokens).",
    "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8193. Given: 9000 `inputs` tokens and 1000 `max_new_tokens`",
  ].map(
    (message): Case => ({
      says: "Together's full context, only in words",
      status: 400,
      body: error({ message, type: "invalid_request_error", param: null, code: null }),
      kind: "context_too_long",
    }),
  ),
  {
    says: "OpenRouter's unknown model",
    status: 400,
    body: error({ message: "openai/gpt-none is not a valid model ID", code: 400 }),
    kind: "model_not_found",
  },
  {
    says: "DeepSeek's unknown model",
    status: 400,
    body: error({ message: "Model Not Exist", type: "invalid_request_error", code: "invalid_request_error" }),
    kind: "model_not_found",
  },
  {
    says: "OpenRouter's full context at whom it asked",
    status: 400,
    body: error({
      message: "Provider returned error",
      code: 400,
      metadata: { raw: '{"error":{"message":"maximum context length is 5"}}', provider_name: "Parasail" },
    }),
    kind: "context_too_long",
  },
  {
    says: "OpenRouter's full context, by its own name",
    status: 400,
    body: error({ message: "Too long", code: 400, metadata: { error_type: "context_length_exceeded" } }),
    kind: "context_too_long",
  },
  {
    says: "OpenRouter's moderation",
    status: 403,
    body: error({
      message: 'openai/gpt-4o requires moderation on OpenAI. Your input was flagged for "violence".',
      code: 403,
      metadata: { reasons: ["violence"], flagged_input: "…", provider_name: "OpenAI" },
    }),
    kind: "content_filtered",
  },
  {
    says: "Groq's full flex tier",
    status: 498,
    body: error({ message: "Flex tier capacity exceeded", type: "capacity", code: "capacity_exceeded" }),
    kind: "provider_overloaded",
  },
  {
    says: "Azure's content filter",
    status: 400,
    body: error({
      message: "The response was filtered",
      code: "content_filter",
      innererror: { code: "ResponsibleAIPolicyViolation" },
    }),
    kind: "content_filtered",
  },
  {
    says: "Azure's content filter, only behind a code that says nothing",
    status: 400,
    body: error({
      message: "Filtered",
      code: "BadRequest",
      innererror: { code: "ResponsibleAIPolicyViolation" },
    }),
    kind: "content_filtered",
  },
  {
    says: "OpenAI's content policy",
    status: 400,
    body: error({ message: "Rejected", code: "content_policy_violation" }),
    kind: "content_filtered",
  },
  {
    says: "vLLM's full context, only in words",
    status: 400,
    body: JSON.stringify({
      object: "error",
      message: "This model's maximum context length is 4096",
      code: 400,
    }),
    kind: "context_too_long",
  },
  {
    says: "DeepSeek's empty account",
    status: 402,
    body: error({ message: "Insufficient Balance", type: "unknown_error" }),
    kind: "quota_exhausted",
  },
  {
    says: "FastAPI's validation",
    status: 422,
    body: JSON.stringify({ detail: "Field required" }),
    kind: "provider_bad_request",
  },
  {
    says: "Gemini's list around the error",
    status: 400,
    body: JSON.stringify([{ error: { code: 400, message: "Bad field" } }]),
    kind: "provider_bad_request",
  },
];

const HTML = "<html><head><title>Bad Gateway</title></head></html>";

/** By the status alone, whether the body is an unknown code, a page of a proxy, or nothing. */
const BY_STATUS: readonly (readonly [number, FailureKind])[] = [
  [302, "provider_error"],
  [400, "provider_bad_request"],
  [401, "provider_auth"],
  [402, "quota_exhausted"],
  [403, "provider_permission"],
  [404, "model_not_found"],
  [408, "provider_timeout"],
  [409, "provider_bad_request"],
  [413, "provider_bad_request"],
  [422, "provider_bad_request"],
  [429, "provider_rate_limited"],
  [500, "provider_error"],
  [502, "provider_error"],
  [503, "provider_overloaded"],
  [504, "provider_timeout"],
  [529, "provider_overloaded"],
];

describe("classify", () => {
  test.each(DOCUMENTED)("documented: $says is $kind", ({ status, body, kind }) => {
    expect(classify(status, {}, body).kind).toBe(kind);
  });

  test("tells what the provider said that OpenRouter asked", () => {
    const body = error({
      message: "Provider returned error",
      code: 400,
      metadata: { raw: "top_k must be positive" },
    });
    expect(classify(400, {}, body)).toMatchObject({
      kind: "provider_bad_request",
      message: "Provider returned error: top_k must be positive",
    });
  });

  test.each(BY_STATUS)("%i is %s", (status, kind) => {
    for (const body of [
      error({ message: "?", code: "a_new_code" }),
      error({}),
      HTML,
      "",
      "null",
      "[]",
      '"text"',
      "7",
    ]) {
      expect(classify(status, {}, body).kind, body).toBe(kind);
    }
  });

  test("gives the provider's words to a caller who can mend it", () => {
    const failure = classify(400, {}, error({ message: "Unknown parameter: 'x'" }));
    expect(failure.message).toBe("Unknown parameter: 'x'");
    expect(classify(422, {}, JSON.stringify({ error: "no such field" })).message).toBe("no such field");
    expect(classify(400, {}, HTML).message).toBe("the provider refused the request as invalid");
  });

  test.each([401, 403, 429, 500, 503])("keeps the provider's words from the caller of a %i", (status) => {
    const failure = classify(status, {}, error({ message: "key sk-abc of org-1" }));
    expect(failure.message).not.toContain("sk-abc");
    expect(failure.operator).toContain("key sk-abc of org-1");
  });

  test("tells the operator everything", () => {
    const body = error({ message: "Slow down", type: "tokens", code: "rate_limit_exceeded" });
    const { operator } = classify(429, { "x-request-id": "req_1" }, body);
    expect(operator).toBe("HTTP 429, type tokens, code rate_limit_exceeded, request id req_1: Slow down");
    expect(classify(502, { "apim-request-id": "a-1" }, HTML).operator).toBe(
      `HTTP 502, request id a-1: ${HTML}`,
    );
  });

  test("cuts endless words", () => {
    const failure = classify(400, {}, error({ message: "x".repeat(100_000) }));
    expect(failure.message.length).toBeLessThan(3000);
    expect(failure.operator?.length).toBeLessThan(3000);
    expect(classify(500, {}, HTML.repeat(10_000)).operator?.length).toBeLessThan(3000);
  });

  test("says when to try again", () => {
    expect(classify(429, { "retry-after": "20" }, "").retryAfterMs).toBe(20_000);
    expect(classify(429, {}, "").retryAfterMs).toBeUndefined();
    expect(classify(429, { "retry-after": "9".repeat(400) }, "").retryAfterMs).toBe(365 * 86_400_000);
  });

  test.each([
    [
      429,
      "in organization org-VDAWofJASuLH0vVz8o9tiQZr on tokens per min (TPM): Limit 30000, Requested 30601.",
    ],
    [
      413,
      "in organization `org_01` service tier `on_demand` on tokens per minute (TPM): Limit 6000, Requested 7000",
    ],
  ])("says that a call is too large for the whole limit, which no wait cures: %s %s", (status, words) => {
    const message = `Request too large for gpt-4o ${words}`;
    const failure = classify(status, {}, error({ message, type: "tokens", code: "rate_limit_exceeded" }));
    expect(failure).toMatchObject({ kind: "context_too_long", retryAfterMs: undefined });
    expect(failure.traits).toMatchObject({ retryable: false, elsewhere: true });
    expect(failure.message).toContain("Request too large for gpt-4o");
    expect(failure.message).toMatch(/Limit \d+, Requested \d+/);
    expect(failure.message).not.toContain("org");
  });

  const used = (requests: string, tokens: string) => ({
    "x-ratelimit-remaining-requests": requests,
    "x-ratelimit-reset-requests": "1s",
    "x-ratelimit-remaining-tokens": tokens,
    "x-ratelimit-reset-tokens": "6m0s",
  });
  const LIMITED =
    "Rate limit reached for gpt-4o on tokens per min (TPM): Limit 30000, Used 29937, Requested 385.";
  test.each<[string, IncomingHttpHeaders, string, number | undefined]>([
    ["the requests are used up", used("0", "5"), "", 1_000],
    ["the tokens are used up", used("5", "0"), "", 360_000],
    ["both are used up", used("0", "0"), "", 360_000],
    ["nothing says what is used up", used("5", "5"), LIMITED, undefined],
    ["the message says it", used("0", "0"), `${LIMITED} Please try again in 644ms. Visit us.`, 644],
    ["the message says it in parts", {}, "Please try again in 1h2m3.5s.", 3_723_500],
    ["the message says nothing that is a time", {}, "Please try again in a while.", undefined],
    ["a header says it too", { ...used("0", "0"), "retry-after": "2" }, "Please try again in 644ms.", 2_000],
    ["a reset is no time", { ...used("0", "5"), "x-ratelimit-reset-requests": "soon" }, "", undefined],
  ])("says when to try again by OpenAI's own words, where %s", (_, headers, message, ms) => {
    const body = error({ message, type: "tokens", code: "rate_limit_exceeded" });
    expect(classify(429, headers, body)).toMatchObject({ kind: "provider_rate_limited", retryAfterMs: ms });
  });

  test("takes the state of the limits for no time to wait where nothing is limited", () => {
    expect(classify(500, used("0", "0"), "Please try again in 20s.").retryAfterMs).toBeUndefined();
  });
});

describe("retryAfterMs", () => {
  const date = "Wed, 21 Oct 2026 07:28:00 GMT";
  const cases: readonly (readonly [IncomingHttpHeaders, number | undefined])[] = [
    [{}, undefined],
    [{ "retry-after": "20" }, 20_000],
    [{ "retry-after": "0.5" }, 500],
    [{ "retry-after": "0" }, 0],
    [{ "retry-after-ms": "1500" }, 1500],
    [{ "retry-after-ms": "1500", "retry-after": "2" }, 1500],
    [{ "retry-after-ms": "0", "retry-after": "1" }, 1000],
    [{ "retry-after-ms": "0" }, 0],
    [{ "retry-after-ms": "soon", "retry-after": "1" }, 1000],
    [{ "x-ms-retry-after-ms": "700" }, 700],
    [{ "x-ms-retry-after-ms": "700", "retry-after": "1" }, 700],
    [{ "retry-after-ms": "0", "x-ms-retry-after-ms": "700" }, 700],
    [{ "retry-after": "Wed, 21 Oct 2026 07:28:30 GMT", date }, 30_000],
    [{ "retry-after": "Wed, 21 Oct 2026 07:27:00 GMT", date }, 0],
    [{ "retry-after": "Wed, 21 Oct 2026 07:28:30 GMT" }, undefined],
    [{ "retry-after": "nonsense GMT", date }, undefined],
    [{ "retry-after": "-5", date }, undefined],
    [{ "retry-after": "soon", date }, undefined],
  ];
  test.each(cases)("%j is %s", (headers, expected) => {
    expect(retryAfterMs(headers)).toBe(expected);
  });
});
