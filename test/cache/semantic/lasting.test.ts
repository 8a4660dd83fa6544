/** What is known in a durable store, behind the answers: what comes back, what does not, and that nobody waits. */
import { describe, expect, it } from "vitest";
import { Memory } from "../../../src/cache/memory.ts";
import { factsOf } from "../../../src/cache/semantic/facts.ts";
import { Known } from "../../../src/cache/semantic/known.ts";
import { Lasting } from "../../../src/cache/semantic/lasting.ts";
import type { KnownStore } from "../../../src/core/known-store.ts";
import { event } from "../../../src/core/reply.ts";
import { engines } from "../../support/stores.ts";

const NOW = 1_000_000;
const clock = { now: () => NOW, after: () => ({ refresh() {}, cancel() {} }) };
const [engine] = engines("known requests");

function lasting(store: KnownStore, errors: unknown[] = []) {
  const known = new Known(10);
  const memory = new Memory(clock, { maxEntries: 10, maxBytes: 100_000 });
  const onError = (error: unknown) => errors.push(error);
  const answers = new Lasting(memory, { known, store, now: () => NOW, onError, sizeOf: () => 1_000 });
  const answer = (key: string, tenant = "red") => {
    known.add("frame", { key, text: key, vector: new Float32Array([0.6, 0.8]), facts: factsOf(key) });
    answers.keep(key, entryOf(tenant));
  };
  return { known, answers, answer };
}

function entryOf(tenant: string) {
  const events = [event({ token: "Hello" }), event({ done: true, finishReason: "stop" })];
  const answer = {
    batches: [{ events, atMs: 0 }],
    provider: "openai",
    model: "gpt-4o",
    costPicoUsd: undefined,
    requestId: "request-1",
    storedAtMs: NOW - 1_000,
    dropped: ["parameters.seed"],
  };
  return { answer, tenant, family: "fast", tags: {}, expiresAtMs: NOW + 1_000, bytes: 1_000 };
}

describe("what is known", () => {
  it("comes back with its answer, but for what was cleared", async () => {
    const place = await engine?.place();
    const { known: store } = (await place?.open()) ?? {};
    if (!store) throw new Error("no engine");
    const before = lasting(store);
    before.answer("one");
    before.answer("other", "blue");
    before.answers.keep("not known", entryOf("red"));
    expect(await before.answers.clear({ tenant: "blue" })).toBe(1);

    const after = lasting(store);
    await after.answers.load();
    expect(await after.answers.find("one", "red")).toMatchObject({
      tenant: "red",
      family: "fast",
      answer: { requestId: "request-1", storedAtMs: NOW - 1_000, dropped: ["parameters.seed"] },
    });
    const found = after.known.alike("frame", new Float32Array([0.6, 0.8]));
    expect(found).toMatchObject([{ key: "one", text: "one" }]);
    expect(found[0]?.similarity).toBeCloseTo(1);
    expect(await after.answers.find("other", "red")).toBeUndefined();
    expect(await after.answers.find("not known", "red")).toBeUndefined();
  });

  it("costs no call its answer where the store fails", async () => {
    const broken = () => Promise.reject(new Error("gone"));
    const errors: unknown[] = [];
    const { answers, answer } = lasting({ keep: broken, load: broken, clear: broken, sweep: broken }, errors);
    await answers.load();
    answer("one");
    await answers.written();
    expect(await answers.find("one", "red")).toBeDefined();
    expect(errors).toHaveLength(2);
    // Whoever clears has to know that it is not cleared there; here it is.
    await expect(answers.clear({})).rejects.toThrow("gone");
    expect(await answers.find("one", "red")).toBeUndefined();
  });
});
