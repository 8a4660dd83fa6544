/** The layer by itself: who is asked for embeddings, for how long, and what is compared with what. */

import { describe, expect, it } from "vitest";
import { Memory } from "../../../src/cache/memory.ts";
import { Known } from "../../../src/cache/semantic/known.ts";
import { ALONE } from "../../../src/cache/turns.ts";
import type { Call, RoutedCall } from "../../../src/core/call.ts";
import { Failure } from "../../../src/core/failure.ts";
import { embedded, type Reply } from "../../../src/core/reply.ts";
import { cache } from "../../../src/layers/cache.ts";
import { type SemanticMeans, semantic } from "../../../src/layers/semantic.ts";
import { callOf, eventsOf, replyOf, spoken } from "../../support/call.ts";
import { VirtualClock } from "../../support/clock.ts";

const ONE = "How do I reset my password?";
const OTHER = "How can I reset my password?";
const EMBEDDER = { provider: "openai", model: "small" };

type Embed = (call: RoutedCall) => Promise<Reply>;

const same: Embed = async () =>
  embedded([{ $typeName: "llmgateway.v1.Embedding", index: 0, values: [3, 4] }]);
const failing: Embed = () => Promise.reject(new Failure("provider_error", "down"));
/** Answers when it is ended, and not before. */
const endless: Embed = ({ signal }) =>
  new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));

function layered(embed: Embed, given: Partial<SemanticMeans> = {}) {
  const clock = new VirtualClock();
  const answers = new Memory(clock, { maxEntries: 100, maxBytes: 1_000_000 });
  const asked: RoutedCall[] = [];
  const served: Call[] = [];
  const rule = { family: "openai/gpt-4o", identity: "gpt-4o", enabled: true, ttlMs: 60_000 };
  const known = new Known(100);
  const means: SemanticMeans = {
    serves: true,
    known,
    answers,
    ruleOf: () => ({ identity: rule.identity, threshold: 0.8 }),
    embedder: EMBEDDER,
    timeoutMs: 500,
    maxTextLength: 100,
    paced: false,
    clock,
    ...given,
  };
  const exact = cache({
    answers,
    turns: ALONE,
    ruleOf: () => rule,
    objectionTo: () => "",
    maxTtlMs: 60_000,
    recording: { maxBytes: 10_000, paced: false },
    coalesce: false,
    clock,
  });
  const alike = semantic(means, async (call) => {
    asked.push(call);
    return embed(call);
  });
  const service = exact(
    alike(async (call) => {
      served.push(call);
      return replyOf(spoken([`answer ${served.length}`]));
    }),
  );
  const ask = async (content: string, request: object = {}) => {
    const call = callOf({ request: { messages: [{ role: "user", content }], ...request } });
    const events = await eventsOf(await service(call));
    return { call, text: events.map(({ token = "" }) => token).join("") };
  };
  return { clock, answers, asked, served, known, ask };
}

describe("the embedder", () => {
  it("is asked for the text, as the call's own attempt, with its ceiling and its end", async () => {
    const { ask, asked } = layered(same);
    const { call } = await ask(ONE, { metadata: { team: "red" } });
    expect(asked).toHaveLength(1);
    const [{ request, target, trigger, streaming, tally, alternatives, context } = {} as RoutedCall] = asked;
    expect(request).toMatchObject({ $typeName: "llmgateway.v1.EmbedRequest", input: [ONE] });
    expect({ target, trigger, streaming }).toEqual({
      target: EMBEDDER,
      trigger: "semantic_cache",
      streaming: false,
    });
    expect(alternatives).toEqual([]);
    expect(tally).toBe(call.tally);
    expect(context).toBe(call.context);
  });

  it("is not asked twice for the same text", async () => {
    const { ask, asked } = layered(same);
    await ask(ONE);
    await ask(OTHER);
    await ask(OTHER);
    expect(asked).toHaveLength(2);
  });

  it("that takes too long is not waited for, and leaves no timer behind", async () => {
    const { ask, asked, clock } = layered(endless);
    const answered = ask(ONE);
    await clock.advance(499);
    expect(asked[0]?.signal.aborted).toBe(false);
    await clock.advance(1);
    expect((await answered).text).toBe("answer 1");
    expect(asked[0]?.signal.reason).toMatchObject({ kind: "deadline_exceeded" });
    expect(clock.pending).toBe(0);
  });

  it("that fails, or says nothing that has a direction, is a miss", async () => {
    const empty: Embed = async () => embedded([]);
    for (const embed of [failing, empty]) {
      const { ask } = layered(embed);
      await ask(ONE);
      const { call, text } = await ask(OTHER);
      expect(text).toBe("answer 2");
      expect(call.tally.served).toBeUndefined();
    }
  });

  it("that finds all alike is not believed where texts say something else", async () => {
    const { ask } = layered(same);
    await ask(ONE);
    expect((await ask("How do I reset my router?")).text).toBe("answer 2");
    expect((await ask(OTHER)).text).toBe("answer 1");
  });
});

describe("a request in other words", () => {
  it("is not answered with what is older than it wants, or no longer kept", async () => {
    const { ask, clock, known } = layered(same);
    await ask(ONE);
    await clock.advance(10_000);
    expect((await ask(OTHER, { cacheTtlSeconds: 5 })).text).toBe("answer 2");
    await clock.advance(60_000);
    expect((await ask("How can I reset my password, please?")).text).toBe("answer 3");
    // What it pointed to was forgotten.
    expect(known.size).toBe(1);
  });

  it("is not answered with what was cleared", async () => {
    const { ask, answers } = layered(same);
    await ask(ONE);
    await answers.clear({});
    expect((await ask(OTHER)).text).toBe("answer 2");
  });

  it("is compared by its last text alone, where it has one", async () => {
    const { ask, asked } = layered(same);
    const image = { part: { case: "image", value: { source: { case: "url", value: "https://a.test/b" } } } };
    const user = (content: string) => ({ role: "user", content });
    for (const request of [
      { messages: [user("x".repeat(101))] },
      { messages: [user(" ")] },
      { messages: [{ role: "user", content: "", parts: [image] }] },
      { messages: [user(ONE), { role: "assistant", content: "How?" }] },
      { messages: [user(ONE), { role: "tool", parts: [] }] },
      { parameters: { choices: 2 } },
    ])
      await ask(ONE, request);
    expect(asked).toHaveLength(0);
  });

  it("needs as much likeness as its family wants", async () => {
    const vectors = [
      [1, 0],
      [0.7, Math.sqrt(1 - 0.49)],
    ];
    const turning: Embed = async () =>
      embedded([{ $typeName: "llmgateway.v1.Embedding", index: 0, values: vectors.shift() ?? [] }]);
    const { ask } = layered(turning);
    await ask(ONE);
    expect((await ask(OTHER)).text).toBe("answer 2");
  });
});

describe("in shadow mode", () => {
  it("what would have been given is compared with what was said", async () => {
    const { ask } = layered(same, { serves: false });
    const first = await ask(ONE);
    expect(first.call.tally.shadow).toEqual({ outcome: "miss", similarity: undefined });
    const second = await ask(OTHER);
    expect(second.text).toBe("answer 2");
    expect(second.call.tally.shadow).toEqual({ outcome: "different", similarity: expect.closeTo(1) });
  });
});

it("where words are compared, nobody is asked", async () => {
  const { ask, asked } = layered(failing, { embedder: undefined });
  await ask(ONE);
  expect((await ask(OTHER)).text).toBe("answer 1");
  expect(asked).toHaveLength(0);
});
