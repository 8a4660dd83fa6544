import type { ChatCompletion } from "openai/resources/chat/completions";
import { describe, expect, test } from "vitest";
import { contents, emulated, eventData, isJson, post, postChat, readError, readJson } from "./emulated.ts";

const emulator = await emulated();
const { meter } = emulator;

/** The body, or what came of it before it broke off. */
async function bodyUntilBreak(response: Response): Promise<{ text: string; broke: boolean }> {
  const decoder = new TextDecoder();
  let text = "";
  try {
    for await (const bytes of response.body ?? []) text += decoder.decode(bytes, { stream: true });
    return { text, broke: false };
  } catch {
    return { text, broke: true };
  }
}

/** Empties the meter, asks, and waits for the record of it. */
async function metered(content: string, fields: object = {}) {
  meter.reset();
  const body = await postChat(emulator, content, fields).then(bodyUntilBreak);
  await meter.ended(1);
  const [record] = meter.requests;
  return { ...body, record };
}

describe("errors in place of an answer", () => {
  test.each([
    ["status=429 retry_after=2", 429, { type: "requests", code: "rate_limit_exceeded" }],
    ["status=429 code=insufficient_quota", 429, { type: "insufficient_quota", code: "insufficient_quota" }],
    ["code=insufficient_quota", 429, { type: "insufficient_quota", code: "insufficient_quota" }],
    ["status=500", 500, { type: "server_error", code: null }],
    ["status=503", 503, { type: "server_error", code: null }],
    ["status=401", 401, { type: "invalid_request_error", code: "invalid_api_key" }],
    ["status=400", 400, { type: "invalid_request_error", code: null }],
    ["code=context_length_exceeded", 400, { type: "invalid_request_error", code: "context_length_exceeded" }],
    ["code=teapot", 400, { type: "invalid_request_error", code: "teapot" }],
  ])("%s", async (directive, status, error) => {
    for (const stream of [false, true]) {
      meter.reset();
      const response = await postChat(emulator, `Hi [[emulate: ${directive}]]`, { stream });
      expect(response.status).toBe(status);
      expect(response.headers.get("retry-after")).toBe(directive.includes("retry_after") ? "2" : null);
      expect(await readError(response)).toMatchObject(error);
      await meter.ended(1);
      expect(meter.requests).toMatchObject([
        { status, outcome: "error", fault: directive, inputTokens: 0, outputTokens: 0, stream },
      ]);
    }
  });

  test("Azure's 429 is its own", async () => {
    const body = { messages: [{ role: "user", content: "[[emulate: status=429 retry_after=1]]" }] };
    const response = await post(`${emulator.url}/openai/deployments/chat/chat/completions`, body);
    expect(Object.fromEntries(response.headers)).toMatchObject({ "retry-after": "1", "retry-after-ms": "0" });
    expect(await readError(response)).toEqual({ code: "RateLimitReached", message: expect.any(String) });
  });

  test.each([
    ["retry_after=0.2", { "retry-after": "0.2" }],
    ["retry_after_ms=200", { "retry-after-ms": "200" }],
    ["retry_after=1 retry_after_ms=0", { "retry-after": "1", "retry-after-ms": "0" }],
  ])("says when to come back by %s", async (directive, headers) => {
    const response = await postChat(emulator, `[[emulate: status=429 ${directive}]]`);
    expect(Object.fromEntries(response.headers)).toMatchObject(headers);
  });

  test("says it as a date, which counts from that of the reply", async () => {
    const { headers } = await postChat(emulator, "[[emulate: status=429 retry_after_date=60]]");
    const [until, from] = ["retry-after", "date"].map((name) => Date.parse(headers.get(name) ?? ""));
    // Whole seconds, and the clock may pass one in between.
    expect([60_000, 61_000]).toContain((until ?? 0) - (from ?? 0));
  });

  test("a directive works in embeddings, and in a part of a message", async () => {
    const input = ["a", "b [[emulate: status=503]]"];
    const embedding = await post(`${emulator.url}/v1/embeddings`, { model: "text-embedding-3-small", input });
    expect(embedding.status).toBe(503);
    const content = [{ type: "text", text: "[[emulate: status=503]]" }];
    const chat = await postChat(emulator, "", { messages: [{ role: "user", content }] });
    expect(chat.status).toBe(503);
  });

  test.each(["stauts=429", "status=42", "tokens=many", "hang=yes", "retry_after=soon"])(
    "%s is refused by name",
    async (directive) => {
      const response = await postChat(emulator, `[[emulate: ${directive}]]`);
      expect(response.status).toBe(400);
      const error = await readError(response);
      expect(error.code).toBe("invalid_emulator_directive");
      expect(error.message).toContain(directive.split("=", 1)[0]);
    },
  );
});

describe("the answer's length and pace", () => {
  test("the directive is no part of the text that is answered", async () => {
    const response = await postChat(emulator, "Good morning [[emulate: tokens=30]]");
    const reply = await readJson<ChatCompletion>(response);
    expect(reply.choices[0]?.message.content).toContain('"Good morning"');
    expect(reply.usage?.completion_tokens).toBe(30);
  });

  test("tokens bounds a stream, max_tokens bounds both", async () => {
    const { text, record } = await metered("[[emulate: tokens=50]]", { stream: true });
    expect(contents(text).length).toBe(50);
    expect(record).toMatchObject({ outcome: "served", outputTokens: 50 });
    const short = await metered("[[emulate: tokens=50]]", { stream: true, max_tokens: 7 });
    expect(contents(short.text).length).toBe(7);
    expect(short.text).toContain('"finish_reason":"length"');
  });

  test("delay_ms comes before the headers, first_token_ms and interval_ms after them", async () => {
    const started = performance.now();
    const late = await postChat(emulator, "[[emulate: delay_ms=80]]");
    await late.text();
    expect(performance.now() - started).toBeGreaterThanOrEqual(75);

    const paced = performance.now();
    const response = await postChat(emulator, "[[emulate: first_token_ms=80 interval_ms=30 tokens=3]]", {
      stream: true,
    });
    expect(contents(await response.text()).length).toBe(3);
    // The first token, two more, and the finish.
    expect(performance.now() - paced).toBeGreaterThanOrEqual(80 + 3 * 30 - 5);
  });

  test("the role's chunk does not wait for the first token", async () => {
    const leave = new AbortController();
    const url = `${emulator.url}/v1/chat/completions`;
    const messages = [{ role: "user", content: "[[emulate: first_token_ms=60000]]" }];
    const response = await post(url, { model: "gpt-4o", stream: true, messages }, { signal: leave.signal });
    const read = await response.body?.getReader().read();
    expect(new TextDecoder().decode(read?.value)).toContain('"role":"assistant"');
    leave.abort();
  });
});

describe("broken answers", () => {
  test("cut ends a stream after so many chunks", async () => {
    const { text, broke, record } = await metered("[[emulate: cut=3]]", { stream: true });
    expect(broke).toBe(true);
    expect(contents(text).length).toBe(3);
    expect(record).toMatchObject({ status: 200, outcome: "cut", outputTokens: 3, fault: "cut=3" });
    expect(record?.inputTokens).toBeGreaterThan(0);
  });

  test("cut=0 leaves no headers; a unary body is cut half-way", async () => {
    meter.reset();
    await expect(postChat(emulator, "[[emulate: cut=0]]", { stream: true })).rejects.toThrow();
    await meter.ended(1);
    expect(meter.requests).toMatchObject([{ status: 0, outcome: "cut", outputTokens: 0, bytesWritten: 0 }]);
    const { broke, record } = await metered("[[emulate: cut=1]]");
    expect(broke).toBe(true);
    expect(record).toMatchObject({ status: 200, outcome: "cut" });
    expect(record?.outputTokens).toBeGreaterThan(0);
  });

  test("reset answers nothing and meters nothing", async () => {
    meter.reset();
    const failure = await postChat(emulator, "[[emulate: reset=1]]").then(
      undefined,
      (error: Error) => error.cause,
    );
    expect(failure).toMatchObject({ code: "ECONNRESET" });
    await meter.ended(1);
    expect(meter.requests).toMatchObject([{ status: 0, outcome: "cut", inputTokens: 0 }]);
  });

  test("malformed breaks a unary body, or one chunk of a stream", async () => {
    const unary = await metered("[[emulate: malformed=1]]");
    expect(() => JSON.parse(unary.text)).toThrow(SyntaxError);
    expect(unary.record?.outcome).toBe("served");
    const stream = await metered("[[emulate: malformed=1 tokens=4]]", { stream: true });
    const bad = eventData(stream.text).filter((data) => data !== "[DONE]" && !isJson(data));
    expect(bad.length).toBe(1);
    expect(contents(stream.text).length).toBe(3);
  });

  test("error_event sends an error under HTTP 200", async () => {
    const stream = await metered("[[emulate: error_event=2 status=429]]", { stream: true });
    expect(contents(stream.text).length).toBe(2);
    expect(JSON.parse(eventData(stream.text).at(-1) ?? "").error.code).toBe("rate_limit_exceeded");
    expect(stream.record).toMatchObject({ status: 200, outcome: "error", outputTokens: 2 });
    const unary = await metered("[[emulate: error_event=0]]");
    expect(JSON.parse(unary.text).error.type).toBe("server_error");
    expect(unary.record).toMatchObject({ status: 200, outcome: "error" });
  });

  test("no_usage leaves the usage out", async () => {
    const unary = await metered("[[emulate: no_usage=1]]");
    expect(JSON.parse(unary.text)).not.toHaveProperty("usage");
    const stream = await metered("[[emulate: no_usage=1]]", {
      stream: true,
      stream_options: { include_usage: true },
    });
    expect(stream.text).not.toContain("prompt_tokens");
    expect(stream.text).toContain("[DONE]");
    expect(stream.record?.outputTokens).toBeGreaterThan(0);
  });

  test("no_done ends a stream without its end", async () => {
    const fields = { stream: true, stream_options: { include_usage: true } };
    const { text, broke, record } = await metered("[[emulate: no_done=1 tokens=3]]", fields);
    expect(broke).toBe(false);
    expect(contents(text).length).toBe(3);
    expect(text).not.toMatch(/\[DONE\]|"finish_reason":"|prompt_tokens/);
    expect(record).toMatchObject({ outcome: "cut", outputTokens: 3 });
  });

  test("duplicate sends each chunk twice and meters it once", async () => {
    const { text, record } = await metered("[[emulate: duplicate=1 tokens=2]]", { stream: true });
    const data = eventData(text);
    expect(data.length).toBe(2 * 4 + 1);
    for (let at = 0; at < 8; at += 2) expect(data[at]).toBe(data[at + 1]);
    expect(record?.outputTokens).toBe(2);
  });
});
