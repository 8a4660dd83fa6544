/** What Gemini says, in the events and figures of the contract. */
import { describe, expect, test } from "vitest";
import { decodeReply, GeminiStream } from "../../src/providers/gemini/decode.ts";
import { failureOf } from "../support/failure.ts";

const usageMetadata = { promptTokenCount: 5, candidatesTokenCount: 2, totalTokenCount: 7 };

function candidate(parts: readonly object[], fields: object = {}) {
  return { content: { role: "model", parts }, finishReason: "STOP", index: 0, ...fields };
}

function reply(candidates: readonly object[], fields: object = {}) {
  return { candidates, usageMetadata, modelVersion: "m", responseId: "r", ...fields };
}

function decode(value: object, headers = {}) {
  return decodeReply(JSON.stringify(value), headers);
}

/** The events without what Protobuf adds. */
function said(value: object): object[] {
  return decode(value).events.map((event) =>
    JSON.parse(JSON.stringify(event, (key, inner) => (key === "$typeName" ? undefined : inner))),
  );
}

describe("why it stopped", () => {
  test.each([
    ["STOP", "stop"],
    ["MAX_TOKENS", "length"],
    ["CONTINUATION", "length"],
    ["SAFETY", "content_filter"],
    ["RECITATION", "content_filter"],
    ["BLOCKLIST", "content_filter"],
    ["PROHIBITED_CONTENT", "content_filter"],
    ["SPII", "content_filter"],
    ["MODEL_ARMOR", "content_filter"],
    ["IMAGE_SAFETY", "content_filter"],
    ["OTHER", "other"],
    ["SOMETHING_NEW", "something_new"],
    [1, "stop"],
    [2, "length"],
    [3, "content_filter"],
    [99, "reason_99"],
  ])("%s is %s", (finishReason, expected) => {
    const { events, failure } = decode(reply([candidate([{ text: "Hi" }], { finishReason })]));
    expect(failure).toBeUndefined();
    expect(events.at(-1)).toMatchObject({ done: true, finishReason: expected });
  });

  test.each(["MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS"])(
    "%s is a failure that was paid for, and may be tried again",
    (finishReason) => {
      const fields = { finishReason, finishMessage: "Malformed function call: call(" };
      const { failure, usage } = decode(reply([candidate([], fields)]));
      expect(failure).toMatchObject({ kind: "malformed_reply", maybePaid: true });
      expect(failure?.traits.retryable).toBe(true);
      expect(failure?.operator).toContain("Malformed function call");
      expect(usage).toMatchObject({ inputTokens: 5, outputTokens: 2, provenance: "measured" });
    },
  );

  test.each([undefined, "FINISH_REASON_UNSPECIFIED", 0])(
    "%s is no reason: the reply was cut",
    (finishReason) => {
      expect(decode(reply([candidate([{ text: "Hi" }], { finishReason })])).failure?.kind).toBe("cut");
    },
  );

  test("of several answers each has its own", () => {
    expect(
      said(
        reply([
          candidate([{ text: "One" }]),
          candidate([{ text: "two" }], { index: 1, finishReason: "MAX_TOKENS" }),
        ]),
      ),
    ).toEqual([
      { token: "One" },
      { token: "two", index: 1 },
      { index: 0, finishReason: "stop" },
      { index: 1, finishReason: "length" },
      { done: true, finishReason: "stop" },
    ]);
  });
});

test("the first answer's reason is the reply's, whichever came first", () => {
  const stream = new GeminiStream({});
  for (const [index, finishReason] of [
    [1, "MAX_TOKENS"],
    [0, "STOP"],
  ] as const)
    stream.push(JSON.stringify(reply([candidate([{ text: "x" }], { index, finishReason })])));
  expect(stream.end("").at(-1)).toMatchObject({ done: true, finishReason: "stop" });
});

describe("a prompt that was blocked", () => {
  const blocked = {
    promptFeedback: { blockReason: "SAFETY" },
    usageMetadata: { promptTokenCount: 9, totalTokenCount: 9 },
  };

  test("is a failure that keeps its figures, since Google read the prompt", () => {
    const { failure, usage } = decode(blocked);
    expect(failure).toMatchObject({
      kind: "content_filtered",
      maybePaid: true,
      message: "the provider's content filter refused the request",
      operator: expect.stringContaining("SAFETY"),
    });
    expect(usage).toMatchObject({ inputTokens: 9, outputTokens: 0, provenance: "measured" });
  });

  test("is one in a stream too", () => {
    const stream = new GeminiStream({});
    expect(failureOf(() => stream.push(JSON.stringify(blocked))).kind).toBe("content_filtered");
    expect(stream.usage?.inputTokens).toBe(9);
  });
});

describe("calls", () => {
  test("without an id get one of the reply's, the same each time", () => {
    const parts = [
      { functionCall: { name: "a" } },
      { functionCall: { name: "b", args: { x: 1 }, id: "given" } },
      { functionCall: { name: "c" } },
    ];
    expect(said(reply([candidate(parts)]))).toEqual([
      { toolCall: { index: 0, id: "gemini-r-0", name: "a", arguments: "{}" } },
      { toolCall: { index: 1, id: "given", name: "b", arguments: '{"x":1}' } },
      { toolCall: { index: 2, id: "gemini-r-1", name: "c", arguments: "{}" } },
      { done: true, finishReason: "tool_calls" },
    ]);
  });

  test("keep numbers that no double holds", () => {
    const body = JSON.stringify(reply([candidate([{ functionCall: { name: "a", args: { n: 0 } } }])]));
    const { events } = decodeReply(body.replace('"n":0', '"n":12345678901234567890'), {});
    expect(events[0]?.toolCall?.arguments).toBe('{"n":12345678901234567890}');
  });

  test("in pieces were not asked for", () => {
    const part = { functionCall: { name: "a", partialArgs: [{ jsonPath: "$.x" }], willContinue: true } };
    expect(decode(reply([candidate([part])])).failure?.kind).toBe("malformed_reply");
  });
});

describe("what only Google understands", () => {
  test("is kept as it is", () => {
    const parts = [
      { executableCode: { language: "PYTHON", code: "1+1" }, thoughtSignature: "s" },
      { codeExecutionResult: { outcome: "OUTCOME_OK", output: "2" } },
      { inlineData: { mimeType: "image/png", data: "AA==" } },
    ];
    const events = said(reply([candidate(parts)])).slice(0, 3);
    expect(events).toEqual(
      ["executableCode", "codeExecutionResult", "inlineData"].map((type, i) => ({
        providerPart: { provider: "gemini", type, json: JSON.stringify(parts[i]) },
      })),
    );
  });
});

describe("sources", () => {
  test("of what was recited, in characters and not in bytes", () => {
    const citationMetadata = {
      citations: [{ startIndex: 3, endIndex: 10, uri: "https://a.example", title: "A" }],
    };
    const [, { citation } = {}] = decode(
      reply([candidate([{ text: "Žé ghijk" }], { citationMetadata })]),
    ).events;
    expect(citation).toMatchObject({ title: "A", url: "https://a.example", endIndex: 8 });
    expect("Žé ghijk".slice(0, citation?.endIndex)).toBe("Žé ghijk");
  });

  test("beyond the text have no place in it", () => {
    const citationMetadata = { citationSources: [{ startIndex: 1, endIndex: 99, uri: "https://a.example" }] };
    const [, { citation } = {}] = decode(reply([candidate([{ text: "Hi" }], { citationMetadata })])).events;
    expect(citation).not.toHaveProperty("startIndex");
    expect(citation).not.toHaveProperty("endIndex");
  });

  test("that it searched for stand behind the text, with the search itself", () => {
    const groundingMetadata = {
      webSearchQueries: ["q"],
      groundingChunks: [
        { web: { uri: "https://a.example", title: "A" } },
        { retrievedContext: { uri: "gs://b", title: "B", text: "says so" } },
      ],
      groundingSupports: [{ segment: { endIndex: 2, text: "Hi" }, groundingChunkIndices: [0, 1, 7] }],
    };
    const events = decode(reply([candidate([{ text: "Hi." }], { groundingMetadata })])).events;
    expect(events).toMatchObject([
      { token: "Hi." },
      { citation: { title: "A", url: "https://a.example", quote: "", startIndex: 0, endIndex: 2 } },
      { citation: { title: "B", url: "gs://b", quote: "says so", startIndex: 0, endIndex: 2 } },
      { providerPart: { type: "groundingMetadata", json: JSON.stringify(groundingMetadata) } },
      { done: true },
    ]);
  });

  test("are told once, although each element of a stream may tell them anew", () => {
    const groundingMetadata = { groundingChunks: [{ web: { uri: "https://a.example", title: "A" } }] };
    const stream = new GeminiStream({});
    for (const finishReason of [undefined, "STOP"]) {
      stream.push(JSON.stringify(reply([candidate([{ text: "x" }], { groundingMetadata, finishReason })])));
    }
    expect(stream.end("").filter(({ citation }) => citation)).toHaveLength(1);
  });
});

describe("a stream", () => {
  const element = (text: string, fields: object = {}) =>
    JSON.stringify(reply([candidate([{ text }], fields)]));

  test("that ends without a reason was cut, and its figures are an estimate", () => {
    const stream = new GeminiStream({});
    stream.push(element("Hi", { finishReason: undefined }));
    expect(stream.usage).toMatchObject({ outputTokens: 2, provenance: "estimated" });
    expect(failureOf(() => stream.end("")).kind).toBe("cut");
  });

  test("may end with an error outside of all events, though the model had finished", () => {
    const stream = new GeminiStream({});
    stream.push(element("Hi"));
    const stray =
      '{\n  "error": {\n    "code": 503,\n    "status": "UNAVAILABLE",\n    "message": "busy"\n  }\n}\n';
    expect(failureOf(() => stream.end(stray))).toMatchObject({
      kind: "provider_overloaded",
      maybePaid: true,
    });
  });

  test("may hold an error as an event", () => {
    const error = { error: { code: 429, status: "RESOURCE_EXHAUSTED", message: "slow" } };
    const failure = failureOf(() => new GeminiStream({}).push(JSON.stringify(error)));
    expect(failure).toMatchObject({ kind: "provider_rate_limited", maybePaid: true });
  });

  test("does not mind what stands between its events and is no error", () => {
    const stream = new GeminiStream({});
    stream.push(element("Hi"));
    expect(stream.end("who knows\n").at(-1)).toMatchObject({ done: true });
  });
});

describe("usage", () => {
  const usageOf = (usageMetadata: object, headers = {}, parts: object[] = [{ text: "Hi" }]) =>
    decode(reply([candidate(parts)], { usageMetadata }), headers).usage;

  test("counts thoughts as written and what tools answered as read", () => {
    expect(
      usageOf({
        promptTokenCount: 10,
        cachedContentTokenCount: 4,
        toolUsePromptTokenCount: 5,
        candidatesTokenCount: 2,
        thoughtsTokenCount: 3,
        totalTokenCount: 20,
        promptTokensDetails: [
          { modality: "TEXT", tokenCount: 1 },
          { modality: "AUDIO", tokenCount: 6 },
          { modality: 2, tokenCount: 3 },
        ],
        candidatesTokensDetails: [
          { modality: "AUDIO", tokenCount: 1 },
          { modality: "IMAGE", tokenCount: 1 },
        ],
      }),
    ).toMatchObject({
      inputTokens: 15,
      cachedInputTokens: 4,
      toolUseInputTokens: 5,
      outputTokens: 5,
      reasoningTokens: 3,
      totalTokens: 20,
      audioInputTokens: 6,
      imageInputTokens: 3,
      audioOutputTokens: 1,
      imageOutputTokens: 1,
      provenance: "measured",
    });
  });

  test("tells what was heard and seen without what of it was cached", () => {
    const details = (audio: number, image: number) => [
      { modality: "AUDIO", tokenCount: audio },
      { modality: "IMAGE", tokenCount: image },
    ];
    const counts = { promptTokenCount: 700, cachedContentTokenCount: 600, candidatesTokenCount: 2 };
    expect(
      usageOf({ ...counts, promptTokensDetails: details(500, 120), cacheTokensDetails: details(500, 100) }),
    ).toMatchObject({ inputTokens: 700, cachedInputTokens: 600, audioInputTokens: 0, imageInputTokens: 20 });
  });

  test("believes the parts where the total says otherwise", () => {
    const counts = { promptTokenCount: 10, candidatesTokenCount: 2, totalTokenCount: 99 };
    expect(usageOf(counts)).toMatchObject({ inputTokens: 10, outputTokens: 2, totalTokens: 12 });
  });

  test("takes what is missing from the total", () => {
    expect(usageOf({ promptTokenCount: 10, thoughtsTokenCount: 3, totalTokenCount: 20 })).toMatchObject({
      outputTokens: 10,
      reasoningTokens: 3,
      provenance: "measured",
    });
  });

  test("of an answer that was not counted is an estimate, and of none it is not", () => {
    expect(usageOf({ promptTokenCount: 6 })).toMatchObject({
      inputTokens: 6,
      outputTokens: 0,
      provenance: "estimated",
    });
    expect(usageOf({ promptTokenCount: 6 }, {}, [])).toMatchObject({
      outputTokens: 0,
      provenance: "measured",
    });
    expect(usageOf({ trafficType: "ON_DEMAND" })).toBeUndefined();
  });

  test.each([
    [{ serviceTier: "flex" }, {}, "flex"],
    [{}, { "x-gemini-service-tier": "priority" }, "priority"],
    [{ trafficType: "ON_DEMAND" }, {}, "standard"],
    [{ trafficType: "ON_DEMAND_PRIORITY" }, {}, "priority"],
    [{ trafficType: "PROVISIONED_THROUGHPUT" }, {}, "provisioned_throughput"],
    [{ trafficType: 1 }, {}, ""],
  ])("of %j with %j was of the tier %s", (fields, headers, serviceTier) => {
    expect(usageOf({ promptTokenCount: 1, ...fields }, headers)?.serviceTier).toBe(serviceTier);
  });

  test("keeps a count that a later element lacks", () => {
    const stream = new GeminiStream({});
    const counts = [
      { promptTokenCount: 5, cachedContentTokenCount: 3, thoughtsTokenCount: 7, totalTokenCount: 12 },
      { promptTokenCount: 6, candidatesTokenCount: 2, totalTokenCount: 15 },
      { promptTokenCount: null, candidatesTokenCount: -1, totalTokenCount: "15" },
    ];
    for (const usageMetadata of counts)
      stream.push(JSON.stringify(reply([candidate([{ text: "x" }])], { usageMetadata })));
    stream.end("");
    expect(stream.usage).toMatchObject({
      inputTokens: 6,
      cachedInputTokens: 3,
      outputTokens: 9,
      reasoningTokens: 7,
    });
  });
});

test.each([
  "",
  "[]",
  "[1]",
  "null",
  "{}",
  "<html>",
  '{"candidates":[]}',
  '{"candidates":[null]}',
  '{"candidates":7}',
])("%s is no reply", (body) => {
  const failure = failureOf(() => {
    const decoded = decodeReply(body, {});
    if (decoded.failure) throw decoded.failure;
  });
  expect(["malformed_reply", "cut"]).toContain(failure?.kind);
});
