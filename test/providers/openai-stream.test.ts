import { describe, expect, test } from "vitest";
import { event, fold, reasoning, toolCallDelta } from "../../src/core/reply.ts";
import { decodeReply } from "../../src/providers/openai/decode.ts";
import { OpenAiStream } from "../../src/providers/openai/stream.ts";
import { failureOf } from "../support/failure.ts";
import { chunk, done, events, stop, usage } from "./openai-chunks.ts";

describe("the end of a stream", () => {
  test("is at [DONE], once", () => {
    const stream = new OpenAiStream();
    stream.push(chunk({ content: "Hi" }));
    expect(stream.push(stop)).toEqual([]);
    expect(stream.push("[DONE]")).toEqual([done("stop")]);
    expect(stream.push("[DONE]")).toEqual([]);
    expect(stream.push(chunk({ content: "more" }))).toEqual([]);
    expect(stream.end()).toEqual([]);
  });

  test("is where the provider closes, if every choice had ended", () => {
    expect(events(chunk({ content: "Hi" }), stop)).toEqual([event({ token: "Hi" }), done("stop")]);
  });

  test("is a cut if a choice had not ended, or none had begun", () => {
    for (const datas of [[], [chunk({ content: "Hi" })], [stop, chunk({ content: "Hi" }, { index: 1 })]]) {
      expect(failureOf(() => events(...datas)).kind).toBe("cut");
    }
  });

  test("may have something behind it in its line", () => {
    expect(events(chunk({ content: "Hi" }), stop, "[DONE] ").at(-1)).toEqual(done("stop"));
  });

  test("has no reason where the provider gave none", () => {
    expect(events(chunk({ content: "Hi" }), "[DONE]")).toEqual([event({ token: "Hi" }), done(undefined)]);
  });

  test("is malformed when nobody said a thing", () => {
    expect(failureOf(() => events("[DONE]")).kind).toBe("malformed_reply");
  });
});

describe("usage", () => {
  test("comes in a chunk without choices, and null before", () => {
    const stream = new OpenAiStream();
    stream.push(
      JSON.stringify({ model: "m", usage: null, choices: [{ index: 0, delta: { content: "Hi" } }] }),
    );
    expect(stream.usage).toBeUndefined();
    const last = { model: "m", service_tier: "flex", choices: [], usage };
    expect(stream.push(JSON.stringify(last))).toEqual([]);
    expect(stream.usage).toMatchObject({
      inputTokens: 5,
      outputTokens: 7,
      totalTokens: 12,
      serviceTier: "flex",
    });
  });

  test("is an estimate while a choice goes on, though every chunk tells some", () => {
    const stream = new OpenAiStream();
    const told = (delta: object, finish_reason: string | null, completion_tokens: number) => {
      const choices = [{ index: 0, delta, finish_reason }];
      stream.push(JSON.stringify({ choices, usage: { prompt_tokens: 5, completion_tokens } }));
      return stream.usage;
    };
    expect(told({ content: "Hi" }, null, 1)).toMatchObject({ outputTokens: 1, provenance: "estimated" });
    expect(told({}, "stop", 7)).toMatchObject({ outputTokens: 7, provenance: "measured" });
  });

  test("has all its details", () => {
    const stream = new OpenAiStream();
    const details = {
      ...usage,
      prompt_tokens_details: { cached_tokens: 1, cache_write_tokens: 2, audio_tokens: 3 },
      completion_tokens_details: { reasoning_tokens: 4, audio_tokens: 5 },
    };
    stream.push(JSON.stringify({ choices: [], usage: details }));
    expect(stream.usage).toMatchObject({
      cachedInputTokens: 1,
      cacheWriteTokens: 2,
      audioInputTokens: 3,
      reasoningTokens: 4,
      audioOutputTokens: 5,
      provenance: "measured",
    });
  });

  test("counts thoughts once, whether or not the provider's output includes them", () => {
    const outputs = [20, 12].map((total_tokens) => {
      const stream = new OpenAiStream();
      const thoughts = { completion_tokens_details: { reasoning_tokens: 8 } };
      stream.push(
        JSON.stringify({ choices: [], usage: { ...usage, total_tokens, completion_tokens: 7, ...thoughts } }),
      );
      return stream.usage?.outputTokens;
    });
    expect(outputs).toEqual([15, 7]);
  });

  test("knows DeepSeek's cached tokens", () => {
    const stream = new OpenAiStream();
    stream.push(JSON.stringify({ choices: [], usage: { ...usage, prompt_cache_hit_tokens: 3 } }));
    expect(stream.usage?.cachedInputTokens).toBe(3);
  });

  test("is not lost to a failure, in the same chunk or after it", () => {
    const stream = new OpenAiStream();
    expect(failureOf(() => stream.push(JSON.stringify({ usage, error: { message: "x" } }))).kind).toBe(
      "provider_error",
    );
    expect(failureOf(() => stream.push("{")).kind).toBe("malformed_reply");
    stream.push(JSON.stringify({ choices: [], usage: { prompt_tokens: "many" } }));
    expect(stream.usage?.outputTokens).toBe(7);
  });
});

describe("what the model said", () => {
  test("is nothing in a role, in null and in an empty text", () => {
    expect(
      events(
        chunk({ role: "assistant", content: "", refusal: null }),
        chunk({ content: null }),
        chunk({}),
        stop,
      ),
    ).toEqual([done("stop")]);
  });

  test("is nothing in Azure's first chunk", () => {
    const first = JSON.stringify({
      id: "",
      model: "",
      choices: [],
      prompt_filter_results: [{ prompt_index: 0 }],
    });
    const stream = new OpenAiStream();
    expect(stream.push(first)).toEqual([]);
    stream.push(stop);
    expect(stream.servedModel).toBe("m");
    expect(stream.push(first)).toEqual([]);
    expect(stream.servedModel).toBe("m");
  });

  test.each(["reasoning_content", "reasoning"])("is a thought in %s", (field) => {
    const said = events(chunk({ [field]: "Hm", content: "" }), chunk({ [field]: null, content: "Hi" }), stop);
    expect(said).toEqual([
      event({ reasoning: reasoning({ text: "Hm" }) }),
      event({ token: "Hi" }),
      done("stop"),
    ]);
  });

  test("is a thought once, where both fields have it", () => {
    expect(events(chunk({ reasoning_content: "Hm", reasoning: "Hm" }), stop)).toHaveLength(2);
  });

  test("is a refusal", () => {
    expect(events(chunk({ refusal: "No." }), stop)).toEqual([event({ refusal: "No." }), done("stop")]);
  });

  test("has its sources behind it, streamed or whole", () => {
    const cited = { url: "https://example.com/a", title: "A", start_index: 3, end_index: 9 };
    const annotations = [
      { type: "url_citation", url_citation: cited },
      // As OpenRouter has it, and others without a place or in a type of their own.
      { type: "url_citation", url_citation: { url: "https://example.com/b", content: "Words" } },
      { type: "file", file: { hash: "1" } },
      null,
    ];
    const citation = { $typeName: "llmgateway.v1.Citation", title: "", url: "", quote: "" } as const;
    const [a, b] = annotations.map((annotation) => JSON.stringify(annotation));
    const said = [
      event({ token: "Hi, there." }),
      event({
        citation: {
          ...citation,
          title: "A",
          url: "https://example.com/a",
          startIndex: 3,
          endIndex: 9,
          providerJson: a ?? "",
        },
      }),
      event({
        citation: { ...citation, url: "https://example.com/b", quote: "Words", providerJson: b ?? "" },
      }),
      done("stop"),
    ];
    expect(events(chunk({ content: "Hi, there." }), chunk({ annotations }), stop)).toEqual(said);
    const again = chunk({ annotations: annotations.slice(0, 1) });
    expect(events(chunk({ content: "Hi, there." }), again, chunk({ annotations }), again, stop)).toEqual(
      said,
    );
    const message = { content: "Hi, there.", annotations };
    const whole = JSON.stringify({ choices: [{ message, finish_reason: "stop" }] });
    expect(decodeReply(whole).events).toEqual(said);
  });

  test("has its sources behind it also where they stand beside the choices", () => {
    const found = { title: "A", url: "https://example.com/a", snippet: "Words" };
    const citation = { $typeName: "llmgateway.v1.Citation", title: "", quote: "" } as const;
    const url = "https://example.com/a";
    const perplexity = { citations: [url], search_results: [found, null] };
    const beside = (delta: object, lists: object, rest?: object) =>
      JSON.stringify({ ...JSON.parse(chunk(delta, rest)), ...lists });
    const said = events(
      beside({ content: "Hi[1]" }, { ...perplexity, search_results: [] }),
      beside({}, perplexity),
      beside({}, { citations: [url], search_results: null }, { finish_reason: "stop" }),
    );
    expect(said).toEqual([
      event({ token: "Hi[1]" }),
      event({
        citation: { ...citation, title: "A", url, quote: "Words", providerJson: JSON.stringify(found) },
      }),
      done("stop"),
    ]);
    const message = { content: "Hi[1]" };
    const whole = (lists: object) =>
      decodeReply(JSON.stringify({ choices: [{ message, finish_reason: "stop" }], ...lists })).events;
    expect(whole(perplexity)).toEqual(said);
    // xAI has the addresses alone.
    expect(whole({ citations: [url, 5] })).toEqual([
      event({ token: "Hi[1]" }),
      event({ citation: { ...citation, url, providerJson: JSON.stringify(url) } }),
      done("stop"),
    ]);
  });

  test("is told apart by choice, each with its reason", () => {
    const said = events(
      chunk({ content: "a" }),
      chunk({ content: "b" }, { index: 1 }),
      chunk({}, { index: 1, finish_reason: "length" }),
      stop,
      "[DONE]",
    );
    expect(said).toEqual([
      event({ token: "a" }),
      event({ token: "b", index: 1 }),
      event({ index: 1, finishReason: "length" }),
      event({ index: 0, finishReason: "stop" }),
      done("stop"),
    ]);
  });

  test("keeps the reasons apart when one choice ends before the next begins", async () => {
    const said = events(
      chunk({ content: "a" }, { finish_reason: "length" }),
      chunk({ content: "b" }, { index: 1, finish_reason: "stop" }),
    );
    const reply = await fold({
      events: (async function* () {
        yield said;
      })(),
    });
    expect(reply.choices.map(({ finishReason }) => finishReason)).toEqual(["length", "stop"]);
  });
});

describe("tool calls", () => {
  const call = (index: number | undefined, fields: object) => chunk({ tool_calls: [{ index, ...fields }] });
  const calls = (...datas: string[]) => events(...datas, stop).flatMap(({ toolCall }) => toolCall ?? []);

  test("come in pieces, with id and name once", () => {
    const said = calls(
      call(0, { id: "a", type: "function", function: { name: "look", arguments: "" } }),
      call(0, { id: "a", function: { name: "look", arguments: '{"x":' } }),
      call(0, { function: { arguments: "1}" } }),
      call(0, { function: { arguments: "" } }),
      call(1, { id: "b", function: { name: "see", arguments: "{}" } }),
    );
    expect(said).toEqual([
      toolCallDelta(0, { id: "a", name: "look" }),
      toolCallDelta(0, { arguments: '{"x":' }),
      toolCallDelta(0, { arguments: "1}" }),
      toolCallDelta(1, { id: "b", name: "see", arguments: "{}" }),
    ]);
  });

  test("of free-text tools have an input", () => {
    const said = calls(
      call(0, { id: "a", type: "custom", custom: { name: "sum", input: "" } }),
      call(0, { custom: { input: "4 + 4" } }),
    );
    expect(said).toEqual([toolCallDelta(0, { id: "a", name: "sum" }), toolCallDelta(0, { input: "4 + 4" })]);
  });

  test("of the old API have an empty id", () => {
    const said = calls(
      chunk({ function_call: { name: "look", arguments: "" } }),
      chunk({ function_call: { arguments: "{}" } }),
    );
    expect(said).toEqual([toolCallDelta(0, { id: "", name: "look" }), toolCallDelta(0, { arguments: "{}" })]);
  });

  test("without an index are told apart by their ids", () => {
    const said = calls(
      call(undefined, { id: "a", function: { name: "look", arguments: "{" } }),
      call(undefined, { function: { arguments: "}" } }),
      call(undefined, { id: "b", function: { name: "see", arguments: "{}" } }),
    );
    expect(said.map(({ index }) => index)).toEqual([0, 0, 1]);
  });

  test("that are whole are told apart by their ids where all have one index", () => {
    const said = calls(
      call(0, { id: "a", function: { name: "look", arguments: '{"x":1}' } }),
      call(0, { id: "b", function: { name: "look", arguments: "{}" } }),
      call(1, { id: "c", function: { name: "see", arguments: "{}" } }),
    );
    expect(said).toEqual([
      toolCallDelta(0, { id: "a", name: "look", arguments: '{"x":1}' }),
      toolCallDelta(1, { id: "b", name: "look", arguments: "{}" }),
      toolCallDelta(2, { id: "c", name: "see", arguments: "{}" }),
    ]);
  });

  test("that come in pieces stay one, though each piece has an id of its own", () => {
    const said = calls(
      call(0, { id: "a", function: { name: "look", arguments: '{"x":' } }),
      call(0, { id: "b", function: { name: "look", arguments: "1}" } }),
      call(0, { id: "c", function: { arguments: " " } }),
    );
    expect(said.map(({ index, id = "", arguments: args }) => [index, id, args])).toEqual([
      [0, "a", '{"x":'],
      [0, "", "1}"],
      [0, "", " "],
    ]);
  });

  test("finish as such, though a forced one says stop", () => {
    expect(events(call(0, { id: "a", function: { name: "look" } }), stop).at(-1)).toEqual(done("tool_calls"));
    const end = chunk({}, { finish_reason: "function_call" });
    expect(events(chunk({ function_call: { name: "look" } }), end).at(-1)).toEqual(done("tool_calls"));
    const cut = chunk({}, { finish_reason: "length" });
    expect(events(call(0, { id: "a", function: { name: "look" } }), cut).at(-1)).toEqual(done("length"));
  });

  test("can come with their end in one chunk", () => {
    const whole = chunk(
      { tool_calls: [{ index: 0, id: "a", function: { name: "look", arguments: "{}" } }] },
      { finish_reason: "tool_calls" },
    );
    expect(events(whole)).toEqual([
      event({ toolCall: toolCallDelta(0, { id: "a", name: "look", arguments: "{}" }) }),
      done("tool_calls"),
    ]);
  });
});
