/** Google's wire format, read by the official SDK and held against what was recorded. */
import {
  type FunctionCallingConfigMode,
  type GenerateContentConfig,
  type GenerateContentResponse,
  GoogleGenAI,
  type ThinkingLevel,
} from "@google/genai";
import { describe, expect, test } from "vitest";
import { startEmulator } from "../../src/emulator/server.ts";
import { loadRecordings, recordingsFolder } from "../recordings/recordings.ts";
import { emulated, post } from "./emulated.ts";
import { shapes } from "./shapes.ts";

const emulator = await emulated();
const GEMINI = `${emulator.url}/v1beta`;
const VERTEX = `${emulator.url}/v1/projects/p/locations/global/publishers/google`;
const { models } = new GoogleGenAI({
  apiKey: "test-key",
  apiVersion: "v1beta",
  httpOptions: { baseUrl: emulator.url },
});
const weather = {
  name: "get_weather",
  parametersJsonSchema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
};

function asking(contents: string, config: GenerateContentConfig = {}, model = "gemini-2.5-flash") {
  return { model, contents, config };
}

async function streamed(request: ReturnType<typeof asking>): Promise<GenerateContentResponse[]> {
  return Array.fromAsync(await models.generateContentStream(request));
}

function body(text: string, fields: object = {}) {
  return { contents: [{ role: "user", parts: [{ text }] }], ...fields };
}

const send = (verb: string, text: string, fields: object = {}, base = GEMINI, model = "gemini-2.5-flash") =>
  post(`${base}/models/${model}:${verb}`, body(text, fields));

describe("an answer", () => {
  test("is the same whole and streamed, and metered as it says", async () => {
    emulator.meter.reset();
    const whole = await models.generateContent(asking("What is new?"));
    const chunks = await streamed(asking("What is new?"));
    expect(chunks.map(({ text }) => text ?? "").join("")).toBe(whole.text);
    expect(chunks.at(-1)?.usageMetadata).toEqual(whole.usageMetadata);
    expect(chunks.at(-1)?.candidates?.[0]?.finishReason).toBe("STOP");
    await emulator.meter.ended(2);
    for (const record of emulator.meter.requests) {
      expect(record).toMatchObject({
        inputTokens: whole.usageMetadata?.promptTokenCount,
        outputTokens: whole.usageMetadata?.candidatesTokenCount,
        outcome: "served",
        model: "gemini-2.5-flash",
      });
    }
  });

  test("thinks as much as it is told, and shows it when asked", async () => {
    const thinkingConfig = { thinkingBudget: 64, includeThoughts: true };
    const reply = await models.generateContent(asking("Hi", { thinkingConfig }));
    expect(reply.candidates?.[0]?.content?.parts?.[0]).toMatchObject({ thought: true });
    expect(reply.usageMetadata?.thoughtsTokenCount).toBe(8);
    const hidden = await models.generateContent(asking("Hi", { thinkingConfig: { thinkingBudget: 64 } }));
    expect(hidden.candidates?.[0]?.content?.parts).toEqual([{ text: reply.text }]);
    expect(hidden.usageMetadata).toEqual(reply.usageMetadata);
    const level = { thinkingConfig: { thinkingLevel: "LOW" as ThinkingLevel } };
    const newer = await models.generateContent(asking("Hi", level, "gemini-3.5-flash"));
    expect(newer.usageMetadata?.thoughtsTokenCount).toBe(64);
    await expect(models.generateContent(asking("Hi", level))).rejects.toMatchObject({ status: 400 });
  });

  test("calls tools whole, without ids before Gemini 3, and signs the first", async () => {
    const config = { tools: [{ functionDeclarations: [weather, { name: "get_time" }] }] };
    const ask = (model: string) =>
      models.generateContent(asking("Use get_weather and get_time", config, model));
    const old = await ask("gemini-2.0-flash");
    expect(old.functionCalls).toEqual([
      { name: "get_weather", args: { city: "sample city" } },
      { name: "get_time", args: {} },
    ]);
    expect(old.candidates?.[0]).toMatchObject({ finishReason: "STOP" });
    const { candidates, functionCalls = [] } = await ask("gemini-3.5-flash");
    expect(functionCalls.map(({ id }) => id)).toEqual([
      expect.stringMatching(/^\w{8}$/),
      expect.stringMatching(/^\w{8}$/),
    ]);
    const signatures = candidates?.[0]?.content?.parts?.map(({ thoughtSignature }) => thoughtSignature);
    expect(signatures).toEqual([expect.stringMatching(/==$/), undefined]);
  });

  test("keeps to what it is bound to", async () => {
    const forced = {
      tools: [{ functionDeclarations: [weather, { name: "get_time" }] }],
      toolConfig: {
        functionCallingConfig: {
          mode: "ANY" as FunctionCallingConfigMode,
          allowedFunctionNames: ["get_time"],
        },
      },
    };
    expect((await models.generateContent(asking("Hi", forced))).functionCalls?.[0]?.name).toBe("get_time");
    const schema = { type: "object", properties: { n: { type: "integer" } }, required: ["n"] };
    const json = { responseMimeType: "application/json", responseJsonSchema: schema };
    expect(JSON.parse((await models.generateContent(asking("Hi", json))).text ?? "")).toEqual({ n: 1 });
    const short = await models.generateContent(asking("Hi", { maxOutputTokens: 3 }));
    expect(short.candidates?.[0]?.finishReason).toBe("MAX_TOKENS");
    expect(short.usageMetadata?.candidatesTokenCount).toBe(3);
    const stopped = await models.generateContent(asking("Hi", { stopSequences: [" the"] }));
    expect(stopped.text).toBe("This is");
    const several = await models.generateContent(asking("Hi", { candidateCount: 3 }));
    expect(several.candidates?.map(({ index }) => index)).toEqual([0, 1, 2]);
  });

  test("reads a long prompt from the cache when it comes again", async () => {
    const prompt = "All work and no play makes a dull day. ".repeat(150);
    const first = await models.generateContent(asking(prompt));
    expect(first.usageMetadata).not.toHaveProperty("cachedContentTokenCount");
    const second = await models.generateContent(asking(prompt));
    expect(second.usageMetadata?.cachedContentTokenCount).toBeGreaterThan(1024);
  });
});

describe("a stream", () => {
  test("has CRLF and no mark at its end; older models count at the end alone", async () => {
    const reply = await send("streamGenerateContent?alt=sse", "Hi", {}, GEMINI, "gemini-2.0-flash");
    expect(reply.headers.get("content-type")).toBe("text/event-stream");
    const events = (await reply.text()).split("\r\n\r\n");
    expect(events.pop()).toBe("");
    const chunks = events.map((event) => JSON.parse(event.replace(/^data: /, "")));
    expect(chunks[0].usageMetadata).not.toHaveProperty("candidatesTokenCount");
    expect(chunks.at(-1).usageMetadata.candidatesTokenCount).toBeGreaterThan(10);
  });

  test("is one list without alt=sse", async () => {
    const reply = await send("streamGenerateContent", "Hi");
    expect(reply.headers.get("content-type")).toBe("application/json; charset=UTF-8");
    const list = JSON.parse(await reply.text());
    expect(list.at(-1).candidates[0].finishReason).toBe("STOP");
  });

  test("breaks off as it is told", async () => {
    const text = async (directive: string, base = GEMINI) =>
      (await send("streamGenerateContent?alt=sse", `[[emulate: ${directive}]] Hi`, {}, base)).text();
    expect(await text("no_done=1")).not.toContain("finishReason");
    expect(await text("no_usage=1")).not.toContain("usageMetadata");
    expect((await text("error_event=2")).split("\r\n\r\n").at(-2)).toMatch(/^data: {"error":{"code":500/);
    expect(await text("error_event=2 status=503", VERTEX)).toMatch(
      /\r\n\r\n{\n {2}"error": {\n {4}"code": 503/,
    );
    await expect(text("cut=2")).rejects.toThrow();
  });
});

describe("what Google refuses", () => {
  const refusal = async (text: string, fields: object = {}, model?: string) => {
    const reply = await send("generateContent", text, fields, GEMINI, model);
    return { http: reply.status, ...JSON.parse(await reply.text()).error };
  };

  test.each<[string, object, number, RegExp]>([
    ["no contents", { contents: [] }, 400, /contents is not specified/],
    ["a field that it does not know", { stream: true }, 400, /Unknown name "stream"/],
    [
      "a role that it does not know",
      { contents: [{ role: "assistant", parts: [{ text: "x" }] }] },
      400,
      /valid role/,
    ],
    [
      "a call that is not answered",
      {
        contents: [
          { role: "model", parts: [{ functionCall: { name: "a" } }] },
          { role: "user", parts: [{ text: "x" }] },
        ],
      },
      400,
      /number of function response parts/,
    ],
    [
      "a limit of nothing",
      { generationConfig: { maxOutputTokens: 0 } },
      400,
      /max_output_tokens must be positive/,
    ],
  ])("%s", async (_, fields, code, message) => {
    expect(await refusal("Hi", fields)).toMatchObject({
      http: code,
      code,
      status: "INVALID_ARGUMENT",
      message: expect.stringMatching(message),
    });
  });

  test("a call that lost its signature, since Gemini 3", async () => {
    const contents = [{ role: "model", parts: [{ functionCall: { name: "a" } }] }];
    const message = expect.stringMatching(/missing a thought_signature/);
    expect(await refusal("", { contents }, "gemini-3.5-flash")).toMatchObject({ code: 400, message });
    expect((await send("generateContent", "", { contents })).status).toBe(200);
  });

  test("a model that it does not have", async () => {
    expect(await refusal("Hi", {}, "no-such-model")).toMatchObject({ code: 404, status: "NOT_FOUND" });
  });

  test("whatever a directive asks for", async () => {
    expect(await refusal("[[emulate: status=429 retry_after=2]] Hi")).toMatchObject({
      code: 429,
      status: "RESOURCE_EXHAUSTED",
      details: [{ "@type": expect.stringMatching(/QuotaFailure$/) }, { retryDelay: "2s" }],
    });
    expect(await refusal("[[emulate: code=UNAVAILABLE]] Hi")).toMatchObject({
      code: 503,
      status: "UNAVAILABLE",
    });
    const daily = await refusal("[[emulate: code=quota_per_day]] Hi");
    expect(daily.details[0].violations[0].quotaId).toContain("PerDay");
    const blocked = await send("generateContent", "[[emulate: code=SAFETY]] Hi");
    expect(blocked.status).toBe(200);
    expect(await blocked.json()).toEqual({ promptFeedback: { blockReason: "SAFETY" } });
    expect((await refusal("[[emulate: nonsense=1]] Hi")).message).toMatch(/Unknown emulator directive/);
  });
});

test("embeddings, counted on Vertex AI alone", async () => {
  const { embeddings } = await models.embedContent({
    model: "gemini-embedding-001",
    contents: ["One", "two"],
    config: { outputDimensionality: 8 },
  });
  expect(embeddings?.map(({ values }) => values?.length)).toEqual([8, 8]);
  const url = `${VERTEX}/models/text-embedding-005:predict`;
  const predicted = JSON.parse(await (await post(url, { instances: [{ content: "One" }] })).text());
  expect(predicted.predictions[0].embeddings).toMatchObject({
    statistics: { token_count: 1, truncated: false },
  });
  expect(predicted.predictions[0].embeddings.values).toHaveLength(768);
  expect((await post(url, { instances: [] })).status).toBe(400);
  const newer = `${VERTEX}/models/gemini-embedding-2:embedContent`;
  const embedContentConfig = { outputDimensionality: 8 };
  const one = await post(newer, { content: { parts: [{ text: "One" }] }, embedContentConfig });
  expect(await one.json()).toMatchObject({
    embedding: { values: Array(8).fill(expect.any(Number)) },
    usageMetadata: { promptTokenCount: 1, totalTokenCount: 1 },
  });
  expect((await post(newer, {})).status).toBe(400);

  emulator.meter.reset();
  const marked = await post(url, { instances: [{ content: "[[emulate: mark=one]] One" }] });
  const [said] = JSON.parse(await marked.text()).predictions;
  expect(said.embeddings.values).toEqual(predicted.predictions[0].embeddings.values);
  expect(emulator.meter.requests).toMatchObject([
    { mark: "one", inputTokens: said.embeddings.statistics.token_count },
  ]);
});

test("tokens are counted, which is not metered", async () => {
  emulator.meter.reset();
  const { totalTokens } = await models.countTokens({ model: "gemini-2.5-flash", contents: "Hi there" });
  expect(totalTokens).toBe(8);
  expect(emulator.meter.totals()).toMatchObject({ requests: 1, inputTokens: 0 });
});

test("models are listed page by page", async () => {
  const names = await Array.fromAsync(await models.list({ config: { pageSize: 3 } }), ({ name }) => name);
  expect(names).toContain("models/gemini-2.5-flash");
  expect((await models.get({ model: "gemini-2.5-flash" })).name).toBe("models/gemini-2.5-flash");
  expect((await fetch(`${GEMINI}/models/no-such-model`)).status).toBe(404);
});

test("a key may be wanted: in a header, in the query, or as a bearer token on Vertex AI", async () => {
  const locked = await startEmulator({ apiKey: "right-key" });
  try {
    const status = async (path: string, headers: Record<string, string> = {}) =>
      (await post(locked.url + path, body("Hi"), { headers })).status;
    const gemini = "/v1beta/models/gemini-2.5-flash:generateContent";
    const vertex = "/v1/projects/p/locations/l/publishers/google/models/gemini-2.5-flash:generateContent";
    expect(await status(gemini)).toBe(403);
    expect(await status(gemini, { "x-goog-api-key": "wrong-key" })).toBe(400);
    expect(await status(gemini, { "x-goog-api-key": "right-key" })).toBe(200);
    expect(await status(`${gemini}?key=right-key`)).toBe(200);
    expect(await status(vertex, { "x-goog-api-key": "right-key" })).toBe(401);
    expect(await status(vertex, { authorization: "Bearer right-key" })).toBe(200);
  } finally {
    await locked.close();
  }
});

const thinking = { generationConfig: { thinkingConfig: { thinkingBudget: 64 } } };

/** Recorded requests that the emulator is to answer in the recorded shape; with what is changed in them. */
const CASES: Readonly<Record<string, object>> = {
  "gemini/error-404-model": {},
  "gemini/generate-json-schema": thinking,
  "gemini/generate-max-tokens": {},
  "gemini/generate-thought-signature-tool-call": body("Use weather"),
  "gemini/stream-usage-mid-stream": thinking,
  "vertex/embeddings": {},
};

const folder = recordingsFolder();
const recordings = folder === undefined ? [] : loadRecordings(folder, ["gemini", "vertex"]);

describe.runIf(recordings.length > 0)("the emulator answers in the shape that was recorded", () => {
  test.each(Object.entries(CASES))("%s", async (name, changes) => {
    const recording = recordings.find((one) => `${one.provider}/${one.name}` === name);
    if (!recording) throw new Error(`no recording ${name}`);
    const { pathname, search } = new URL(recording.meta.request.url ?? "");
    // The misspelt model is one that the emulator would take for a new one.
    const path = pathname.replace("gemini-3.6-flahs", "gemini-unknown") + search;
    const reply = await post(emulator.url + path, { ...JSON.parse(recording.request ?? ""), ...changes });
    expect(reply.status).toBe(recording.meta.status);
    expect(reply.headers.get("content-type")).toBe(recording.meta.content_type);
    expect(shapes(await reply.text())).toEqual(expect.arrayContaining(shapes(recording.body.toString())));
  });
});
