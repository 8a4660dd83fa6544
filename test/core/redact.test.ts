import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Failure, toFailure } from "../../src/core/failure.ts";
import { redact, withoutKey } from "../../src/core/redact.ts";
import { cpuMsOf } from "../support/cpu.ts";

/** Made up, in the forms in which they are issued. */
const KEYS = {
  OpenAI: "sk-proj-Zx81kQpL0vNw_TYu-33aBcD",
  "OpenAI, masked by itself": "sk-proj-********************aBcD",
  Anthropic: "sk-ant-api03-QwErTyUiOp_123-AA",
  Groq: "gsk_Zx81kQpL0vNwTYu33aBcD",
  xAI: "xai-Zx81kQpL0vNwTYu33aBcD",
  Cerebras: "csk-Zx81kQpL0vNwTYu33aBcD",
  "Hugging Face": "hf_Zx81kQpLvNwTYuaBcD",
  Replicate: "r8_Zx81kQpL0vNwTYu33aBcD",
  Fireworks: "fw_Zx81kQpL0vNwTYu33aBcD",
  Perplexity: "pplx-Zx81kQpL0vNwTYu33aBcD",
  NVIDIA: "nvapi-Zx81kQpL0vNwTYu33aBcD",
  GitHub: "ghp_Zx81kQpL0vNwTYu33aBcD",
  "Google API key": "AIzaSyZx81kQpL0vNwTYu33aBcD",
  "Google access token": "ya29.a0AfB_byZx81kQpL0vNw",
  "AWS access key": "AKIAIOSFODNN7EXAMPLE",
  "AWS session key": "ASIAIOSFODNN7EXAMPLE",
  "webhook secret": "whsec_MfKQ9r8GKYqrTwjU/PD8ILPZIo2+LaLaSw==",
  "JSON Web Token": "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJtZSJ9.c2lnbmF0dXJl-_",
};

/** Keys that look like nothing, told by what stands before them. */
const LABELLED = [
  ["Authorization: Bearer ", "0123456789abcdef"],
  ["authorization: basic ", "dXNlcjpwYXNzd29yZA=="],
  ["api-key: ", "0123456789abcdef"],
  ['{"api_key": "', "0123456789abcdef"],
  ['"{\\"api_key\\": \\"', "0123456789abcdef"],
  ["x-goog-api-key=", "0123456789abcdef"],
  ["Incorrect API key provided: ", "0123456789abcdef"],
  ["Ocp-Apim-Subscription-Key: ", "0123456789abcdef"],
  ["https://example.com/v1?key=", "0123456789abcdef"],
  ["https://me:", "hunter22@example.com"],
  ["token=", "0123456789abcdef"],
  ["'password': '", "hunter22"],
  ["client_secret: secret=", "hunter22"],
] as const;

describe("redact", () => {
  it.each(Object.entries(KEYS))("takes out a key of %s, wherever it stands", (_, key) => {
    for (const text of [
      key,
      `the key ${key}.`,
      `{"error":"${key}"}`,
      `(${key})\n${key}`,
      JSON.stringify(`\n${key}`),
    ]) {
      const clean = redact(text);
      expect(clean).toContain("[redacted]");
      expect(clean).not.toContain(key.slice(4, 14));
    }
  });

  it.each(LABELLED)("takes out what follows %j, and leaves that", (label, secret) => {
    const clean = redact(`${label}${secret}`);
    expect(clean).toContain(`${label}[redacted]`);
    expect(clean).not.toContain(secret.slice(0, 8));
    expect(redact(JSON.stringify({ error: `No:\n${label}${secret}` }))).not.toContain(secret.slice(0, 8));
  });

  it.each([
    "You can find your API keys at https://platform.openai.com/account/api-keys.",
    "max_tokens: 5000 is too large",
    "the model gpt-4o-2024-08-06 was not found",
    "connect ECONNREFUSED 127.0.0.1:9090",
    "messages[0].role: must be one of system, user",
    "request id req_4f1d2a6c9b8e7d5f",
  ])("leaves %j alone", (text) => {
    expect(redact(text)).toBe(text);
  });

  it.each([
    ["spaces", " ".repeat(200_000)],
    ["a label and spaces", `token${" ".repeat(200_000)}`],
    ["labels", "Bearer ".repeat(30_000)],
    ["beginnings of a token", "-eyJaaaaaaaa".repeat(20_000)],
    ["addresses", "://a:".repeat(40_000)],
  ])("takes time in proportion to a text that is nothing but %s", (_, text) => {
    // What grows with the square takes minutes for these.
    expect(cpuMsOf(() => redact(text))).toBeLessThan(1_000);
  });
});

describe("withoutKey", () => {
  it("takes out a key that no pattern knows", () => {
    expect(withoutKey('{"no such key":"c0ffee-c0ffee"}', "c0ffee-c0ffee")).toBe(
      '{"no such key":"[redacted]"}',
    );
  });

  it("leaves the text alone without a key, and with a stand-in for one", () => {
    expect(withoutKey("EMPTY is empty", "")).toBe("EMPTY is empty");
    expect(withoutKey("EMPTY is empty", "EMPTY")).toBe("EMPTY is empty");
  });
});

it("no text of a failure holds a key, whatever stands around it", () => {
  fc.assert(
    fc.property(fc.constantFrom(...Object.values(KEYS)), fc.string(), fc.string(), (key, before, after) => {
      const text = `${before} ${key} ${after}`;
      const violations = [{ field: text, description: text }];
      const failure = new Failure("invalid_request", text, { operator: text, violations });
      expect(failure.message).not.toContain(key);
      expect(failure.operator).not.toContain(key);
      expect(JSON.stringify(failure.violations)).not.toContain(key);
      expect(toFailure(new Error(text)).operator).not.toContain(key);
    }),
  );
});
