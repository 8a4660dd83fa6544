import { describe, expect, test } from "vitest";
import { PromptCache } from "../../src/emulator/prompt-cache.ts";
import { chatBody, contents, emulated, eventData, openAiClient, post, postChat } from "./emulated.ts";

const emulator = await emulated();
const client = openAiClient(emulator);
const user = (content: string) => ({ role: "user" as const, content });

describe("a unary chat", () => {
  test("answers with the prompt's first words, its usage and the dated model", async () => {
    const reply = await client.chat.completions.create({
      model: "gpt-4o",
      messages: [user("Why is the sky blue?")],
    });
    const [choice] = reply.choices;
    expect(choice?.message).toMatchObject({ role: "assistant", refusal: null });
    expect(choice?.message.content).toContain('"Why is the sky blue?"');
    expect(choice?.finish_reason).toBe("stop");
    expect(reply).toMatchObject({
      object: "chat.completion",
      model: "gpt-4o-2024-08-06",
      service_tier: "default",
    });
    expect(reply.system_fingerprint).toMatch(/^fp_[0-9a-f]{10}$/);
    // 20 bytes are 5 tokens, 3 for the message and 3 for the prompt.
    const words = choice?.message.content?.split(" ").length ?? 0;
    expect(reply.usage).toMatchObject({
      prompt_tokens: 11,
      completion_tokens: words,
      total_tokens: 11 + words,
    });
  });

  test("counts system messages, images and earlier tool calls as input", async () => {
    const plain = await client.chat.completions.create({ model: "gpt-4o", messages: [user("12345678")] });
    const more = await client.chat.completions.create({
      model: "gpt-4o",
      messages: [
        { role: "system", content: "12345678" },
        {
          role: "user",
          content: [
            { type: "text", text: "12345678" },
            { type: "image_url", image_url: { url: "https://example.com/a.png" } },
          ],
        },
      ],
    });
    expect((more.usage?.prompt_tokens ?? 0) - (plain.usage?.prompt_tokens ?? 0)).toBe(2 + 3 + 85);
  });

  test("cuts at max_tokens with finish_reason length", async () => {
    const reply = await client.chat.completions.create({
      model: "gpt-4o",
      max_tokens: 4,
      messages: [user("Hi")],
    });
    expect(reply.choices[0]).toMatchObject({
      finish_reason: "length",
      message: { content: "This is the answer" },
    });
    expect(reply.usage?.completion_tokens).toBe(4);
  });

  test("ends before a stop sequence", async () => {
    const reply = await client.chat.completions.create({
      model: "gpt-4o",
      stop: [" the"],
      messages: [user("Hi")],
    });
    expect(reply.choices[0]).toMatchObject({ finish_reason: "stop", message: { content: "This is" } });
    expect(reply.usage?.completion_tokens).toBe(2);
  });

  test("gives n choices and counts them all", async () => {
    const reply = await client.chat.completions.create({ model: "gpt-4o", n: 3, messages: [user("Hi")] });
    const texts = reply.choices.map((choice) => choice.message.content ?? "");
    expect(reply.choices.map((choice) => choice.index)).toEqual([0, 1, 2]);
    expect(new Set(texts).size).toBeGreaterThan(1);
    expect(reply.usage?.completion_tokens).toBe(texts.join(" ").split(" ").length);
  });

  test("thinks with reasoning_effort, within max_completion_tokens", async () => {
    const ask = { model: "gpt-5-nano", reasoning_effort: "low" as const, messages: [user("Hi")] };
    const whole = await client.chat.completions.create(ask);
    expect(whole.usage?.completion_tokens_details?.reasoning_tokens).toBe(64);
    expect(whole.usage?.completion_tokens).toBeGreaterThan(64);
    const short = await client.chat.completions.create({ ...ask, max_completion_tokens: 50 });
    expect(short.choices[0]).toMatchObject({ finish_reason: "length", message: { content: "" } });
    expect(short.usage?.completion_tokens_details?.reasoning_tokens).toBe(50);
    expect(short.usage?.completion_tokens).toBe(50);
  });

  test("reads a long prefix from the cache when it comes again", async () => {
    const prefix = "All work and no play makes a dull day. ".repeat(150);
    const usages = [];
    for (const [model, ending] of [
      ["gpt-4o", "one"],
      ["gpt-4o", "two"],
      ["gpt-4.1", "two"],
      ["gpt-5.6-sol", "one"],
    ] as const) {
      const reply = await client.chat.completions.create({ model, messages: [user(prefix + ending)] });
      usages.push(reply.usage?.prompt_tokens_details);
    }
    expect(usages.map((usage) => usage?.cached_tokens)).toEqual([0, 1408, 0, 0]);
    expect(usages.map((usage) => usage?.cache_write_tokens)).toEqual([undefined, undefined, undefined, 1408]);
  });
});

test("the prompt cache lets the oldest prefixes go", () => {
  const cache = new PromptCache(10);
  const text = (letter: string) => () => letter.repeat(4 * 1_300);
  expect(cache.observe("m", 1_300, text("a"))).toEqual({ cachedTokens: 0, writtenTokens: 1_280 });
  expect(cache.observe("m", 1_300, text("a"))).toEqual({ cachedTokens: 1_280, writtenTokens: 0 });
  for (const letter of ["b", "c", "d", "e"]) cache.observe("m", 1_300, text(letter));
  expect(cache.observe("m", 1_300, text("a")).cachedTokens).toBe(0);
});

describe("a stream", () => {
  test("says what the unary reply says, and brings usage when asked", async () => {
    const ask = { model: "gpt-4o", messages: [user("Tell me a story")] };
    const unary = await client.chat.completions.create(ask);
    const stream = await client.chat.completions.create({
      ...ask,
      stream: true,
      stream_options: { include_usage: true },
    });
    const chunks = await Array.fromAsync(stream);
    const text = chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("");
    expect(text).toBe(unary.choices[0]?.message.content);
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: unary.usage });
    expect(chunks.slice(0, -1).every((chunk) => chunk.usage === null)).toBe(true);
    expect(chunks.at(-2)?.choices[0]?.finish_reason).toBe("stop");
    // The role, one chunk a token, the finish and the usage.
    expect(chunks.length).toBe((unary.usage?.completion_tokens ?? 0) + 3);
  });

  test("has the recorded shape: role first, obfuscation, no usage unless asked, [DONE]", async () => {
    const response = await postChat(emulator, "Hi", { stream: true });
    expect(response.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
    const data = eventData(await response.text());
    expect(data.at(-1)).toBe("[DONE]");
    const chunks = data.slice(0, -1).map((chunk) => JSON.parse(chunk));
    const keys = [
      "id",
      "object",
      "created",
      "model",
      "service_tier",
      "system_fingerprint",
      "choices",
      "obfuscation",
    ];
    for (const chunk of chunks) expect(Object.keys(chunk)).toEqual(keys);
    const [first] = chunks;
    expect(first.choices).toEqual([
      {
        index: 0,
        delta: { role: "assistant", content: "", refusal: null },
        logprobs: null,
        finish_reason: null,
      },
    ]);
  });

  test("leaves obfuscation out when it is declined", async () => {
    const response = await postChat(emulator, "Hi", {
      stream: true,
      stream_options: { include_obfuscation: false },
    });
    const text = await response.text();
    expect(contents(text).length).toBeGreaterThan(5);
    expect(text).not.toContain("obfuscation");
  });

  test("interleaves n choices, each with its own finish", async () => {
    const response = await postChat(emulator, "Hi [[emulate: tokens=2]]", { stream: true, n: 2 });
    const data = eventData(await response.text()).slice(0, -1);
    const order = data.map((chunk) => JSON.parse(chunk).choices[0]);
    expect(order.map((choice) => choice.index)).toEqual([0, 1, 0, 1, 0, 1, 0, 1]);
    expect(order.slice(-2).map((choice) => choice.finish_reason)).toEqual(["stop", "stop"]);
  });

  test("ends at the bound when all of it was reasoning", async () => {
    const response = await postChat(emulator, "Hi", {
      model: "gpt-5-nano",
      stream: true,
      reasoning_effort: "high",
      max_completion_tokens: 100,
      stream_options: { include_usage: true },
    });
    const chunks = eventData(await response.text()).slice(0, -1);
    expect(chunks.map((chunk) => JSON.parse(chunk).choices[0]?.finish_reason)).toEqual([
      null,
      "length",
      undefined,
    ]);
    expect(JSON.parse(chunks[2] ?? "").usage).toMatchObject({
      completion_tokens: 100,
      completion_tokens_details: { reasoning_tokens: 100 },
    });
    expect(emulator.meter.requests.at(-1)).toMatchObject({ outputTokens: 100, reasoningTokens: 100 });
  });
});

test("Azure's stream begins with the prompt's verdict and names the deployment", async () => {
  const path = "/openai/deployments/my%20chat/chat/completions?api-version=2024-10-21";
  const response = await post(emulator.url + path, { ...chatBody("Hi", { stream: true }), model: undefined });
  const [first, second] = eventData(await response.text()).map(
    (data) => data !== "[DONE]" && JSON.parse(data),
  );
  expect(first).toMatchObject({ choices: [], id: "", model: "", object: "" });
  expect(first.prompt_filter_results[0].content_filter_results.hate.filtered).toBe(false);
  expect(second).toMatchObject({ model: "my chat", choices: [{ content_filter_results: {} }] });
  const unary = await post(emulator.url + path, chatBody("Hi"));
  expect(await unary.json()).toMatchObject({
    prompt_filter_results: [{ prompt_index: 0 }],
    choices: [{ content_filter_results: { violence: { severity: "safe" } } }],
  });
});
