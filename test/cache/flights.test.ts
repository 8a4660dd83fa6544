/** The same request of several callers, while it is under way: one call for all, and nobody's limit is another's. */
import { getEventListeners } from "node:events";
import { describe, expect, test } from "vitest";
import type { Entry } from "../../src/cache/answers.ts";
import { Flights } from "../../src/cache/flights.ts";
import { Memory } from "../../src/cache/memory.ts";
import { ALONE } from "../../src/cache/turns.ts";
import type { Call, Service } from "../../src/core/call.ts";
import { Failure } from "../../src/core/failure.ts";
import type { PicoUsd } from "../../src/core/money.ts";
import { receiptOf } from "../../src/core/receipt.ts";
import { type Batch, event, fold } from "../../src/core/reply.ts";
import { type CacheMeans, cache } from "../../src/layers/cache.ts";
import { attemptOf, type CallInit, callOf, eventsOf, spoken } from "../support/call.ts";
import { settled, VirtualClock } from "../support/clock.ts";

const WORDS = ["one", "two", "three"];
const TEXT = WORDS.join("");
const PICO_PER_WORD = 1_000_000n;

interface Answering {
  readonly batches?: readonly Batch[];
  readonly endsWith?: Error;
  readonly refusal?: Error;
}

/** What stands below: makes an attempt of each call, and says a word whenever it is let. */
class Below {
  readonly calls: Call[] = [];
  readonly answers: Answering[];
  private readonly waiting: (() => void)[] = [];
  private free = 0;

  /** @param answers of the calls in their order; the last is that of all others */
  constructor(...answers: Answering[]) {
    this.answers = answers.length > 0 ? answers : [{}];
  }

  get service(): Service {
    return async (call) => {
      this.calls.push(call);
      const answer = this.answers[Math.min(this.calls.length, this.answers.length) - 1] ?? {};
      await this.turn(call);
      if (answer.refusal) throw answer.refusal;
      const attempt = attemptOf({ number: call.tally.attempts.length + 1 });
      call.tally.attempts.push(attempt);
      return { events: this.events(call, attempt, answer) };
    };
  }

  /** Lets all that wait go on, and whatever comes as often. */
  async go(times = 1_000): Promise<void> {
    this.free += times;
    for (const one of this.waiting.splice(0)) {
      this.free--;
      one();
    }
    await settled();
  }

  private async *events(
    call: Call,
    attempt: ReturnType<typeof attemptOf>,
    { batches = spoken(WORDS), endsWith }: Answering,
  ): AsyncGenerator<Batch> {
    let cost = 0n;
    const settle = (outcome: string) => {
      if (attempt.outcome !== "pending") return;
      Object.assign(attempt, { outcome, actualPicoUsd: cost });
    };
    try {
      for (const batch of batches) {
        await this.turn(call);
        cost += PICO_PER_WORD;
        if (batch.at(-1)?.done) settle("ok");
        yield batch.map((one) => event({ ...one, costPicoUsd: cost }));
      }
      if (endsWith) throw endsWith;
    } finally {
      settle("abandoned");
    }
  }

  private turn({ signal }: Call): Promise<void> {
    if (signal.aborted) return Promise.reject(signal.reason);
    if (this.free > 0) {
      this.free--;
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      const leave = () => reject(signal.reason);
      signal.addEventListener("abort", leave, { once: true });
      this.waiting.push(() => {
        signal.removeEventListener("abort", leave);
        resolve();
      });
    });
  }
}

function worldOf(below: Below, given: Partial<CacheMeans> = {}) {
  const clock = new VirtualClock();
  const means: CacheMeans = {
    answers: new Memory(clock, { maxEntries: 100, maxBytes: 1_000_000 }),
    ruleOf: () => ({ family: "openai/gpt-4o", identity: "gpt-4o", enabled: true, ttlMs: 60_000 }),
    objectionTo: (_, request) => (request.cache === "bypass" ? "the request wants none" : ""),
    maxTtlMs: 60_000,
    recording: { maxBytes: 100_000, paced: false },
    coalesce: true,
    turns: ALONE,
    clock,
    ...given,
  };
  const flights = new Flights({ maxBytes: means.recording.maxBytes, clock });
  const service = cache(means, flights)(below.service);
  let number = 0;
  const ask = (init: CallInit = {}, fields: object = {}) => {
    const id = `request-${++number}`;
    const leaving = new AbortController();
    const call = callOf({
      signal: leaving.signal,
      ...init,
      request: { messages: [{ role: "user", content: "Hello" }], ...fields },
      context: { requestId: id, callId: id },
    });
    const reply = service(call);
    reply.catch(() => {});
    return { call, id, leaving, reply, receipt: () => receiptOf(call) };
  };
  return { ask, flights, clock, below, means };
}

type Asked = ReturnType<ReturnType<typeof worldOf>["ask"]>;

const told = async ({ reply }: Asked) => eventsOf(await reply);
const textOf = async (asked: Asked) => (await told(asked)).map(({ token = "" }) => token).join("");

async function failureOf(asked: Asked): Promise<Failure> {
  try {
    await told(asked);
  } catch (error) {
    return error as Failure;
  }
  throw new Error("it did not fail");
}

/** Reads so many batches, and goes on when it is told to. */
async function begin({ reply }: Asked, batches: number) {
  const events = (await reply).events[Symbol.asyncIterator]();
  const said: Batch[] = [];
  for (let read = 0; read < batches; read++) said.push((await events.next()).value);
  return { said, events };
}

describe("the same request of a thousand callers at once", () => {
  test("is one call, whether they stream or not, which the first pays for", async () => {
    const { ask, below, flights } = worldOf(new Below());
    const all = Array.from({ length: 1_000 }, (_, index) => ask({ streaming: index % 2 === 0 }));
    const replies = all.map(async ({ reply }) => fold(await reply));
    await below.go();
    for (const { response } of await Promise.all(replies)) expect(response).toBe(TEXT);
    expect(below.calls).toHaveLength(1);
    const [first, ...others] = all;
    expect(first?.receipt()).toMatchObject({
      cached: false,
      cacheKind: "",
      cost: { actualPicoUsd: 4n * PICO_PER_WORD, savedPicoUsd: 0n },
      cache: { outcome: "miss" },
      attempts: [{ outcome: "ok" }],
    });
    for (const one of others)
      expect(one.receipt()).toMatchObject({
        provider: "openai",
        model: "gpt-4o",
        cached: true,
        cacheKind: "coalesced",
        cost: { actualPicoUsd: 0n, savedPicoUsd: 4n * PICO_PER_WORD },
        cache: { outcome: "hit", sourceRequestId: first?.id },
        attempts: [],
      });
    expect(flights.size).toBe(0);
  });

  test("is told in the traces of the others by a link to who pays", async () => {
    const { ask, below } = worldOf(new Below());
    const [payer, other] = [ask(), ask()];
    const { span } = payer.call.context;
    const links: unknown[] = [];
    other.call.context.span.addLink = function (link) {
      links.push(link.context);
      return this;
    };
    await below.go();
    await told(other);
    expect(links).toEqual([span.spanContext()]);
  });

  test("tells the running cost to who pays, and none to the others, whoever came first to a word", async () => {
    const { ask, below } = worldOf(new Below());
    const [payer, other] = [ask(), ask()];
    await below.go();
    const theirs = await told(other);
    const own = await told(payer);
    expect(own.map(({ costPicoUsd }) => costPicoUsd)).toEqual([1n, 2n, 3n, 4n].map((n) => n * PICO_PER_WORD));
    expect(theirs.map(({ costPicoUsd }) => costPicoUsd)).toEqual([0n, 0n, 0n, 0n]);
    // What one of them writes into its events, the others do not see.
    expect(new Set([...own, ...theirs]).size).toBe(8);
  });

  test("saves what is not known to have cost anything nothing", async () => {
    const { ask, below } = worldOf(new Below());
    const [payer, other] = [ask(), ask()];
    const open = (payer as Asked).call.tally.attempts;
    open.push(attemptOf({ outcome: "failed" }));
    await below.go();
    await told(other);
    expect(other.receipt().cost).toMatchObject({ actualPicoUsd: 0n, savedPicoUsd: 0n });
  });

  test("is heard from its start by who comes late, and from the cache by who comes later", async () => {
    const { ask, below } = worldOf(new Below());
    const first = ask();
    await below.go(3);
    const { events } = await begin(first, 2);
    const late = ask();
    await below.go();
    expect(await textOf(late)).toBe(TEXT);
    expect(late.receipt().cacheKind).toBe("coalesced");
    const later = ask();
    expect(await textOf(later)).toBe(TEXT);
    expect(later.receipt().cacheKind).toBe("exact");
    await events.return?.();
    expect(below.calls).toHaveLength(1);
  });

  test("is not made again where a lookup takes its time, and the answer came meanwhile", async () => {
    const kept = new Map<string, Entry>();
    const looking: (() => void)[] = [];
    const find = (key: string) => {
      const found = kept.get(key);
      return new Promise<Entry | undefined>((resolve) => looking.push(() => resolve(found)));
    };
    const answers = {
      find,
      atHand: () => undefined,
      keep: (key: string, entry: Entry) => void kept.set(key, entry),
      restore: () => {},
      clear: async () => 0,
      clears: 0,
      isCleared: () => false,
    };
    const { ask, below } = worldOf(new Below(), { answers });
    const [first, second] = [ask(), ask()];
    looking.shift()?.();
    await below.go();
    await told(first);
    looking.shift()?.();
    expect(await textOf(second)).toBe(TEXT);
    expect(second.receipt().cacheKind).toBe("exact");
    expect(below.calls).toHaveLength(1);
  });

  test.each([
    ["they differ in what they ask", {}, { messages: [{ role: "user", content: "Bye" }] }],
    ["they want faults met otherwise", { resilience: { maxRetries: 0 } }, {}],
    ["they fall back to others", { fallbackChain: "none" }, {}],
    ["one wants no cache", {}, { cache: "bypass" }],
    ["one wants it anew", {}, { cache: "refresh" }],
  ])("is not one where %s", async (_, fields, others) => {
    const { ask, below } = worldOf(new Below());
    const all = [ask({}, fields), ask({}, others)];
    await below.go();
    for (const one of all) expect(await textOf(one)).toBe(TEXT);
    expect(below.calls).toHaveLength(2);
  });

  test("is made by each where the configuration wants that", async () => {
    const { ask, below } = worldOf(new Below(), { coalesce: false });
    const all = [ask(), ask()];
    await below.go();
    for (const one of all) expect(await textOf(one)).toBe(TEXT);
    expect(below.calls).toHaveLength(2);
    expect(await textOf(ask())).toBe(TEXT);
    expect(below.calls).toHaveLength(2);
  });

  test("is not waited for by who wants only what is kept", async () => {
    const { ask, below } = worldOf(new Below());
    ask();
    expect(await failureOf(ask({}, { cache: "only" }))).toMatchObject({ kind: "not_cached" });
    await below.go();
  });

  test("is shared with the newest that was wanted anew, whose answer is the one that is kept", async () => {
    const answers = [["old"], ["new"]].map((words) => ({ batches: spoken(words) }));
    const { ask, below } = worldOf(new Below(...answers));
    const old = ask();
    const anew = ask({}, { cache: "refresh" });
    const joined = ask();
    await below.go();
    expect(await textOf(anew)).toBe("new");
    expect(await textOf(old)).toBe("old");
    expect(await textOf(joined)).toBe("new");
    expect(await textOf(ask())).toBe("new");
    expect(below.calls).toHaveLength(2);
  });
});

describe("what ends one of them", () => {
  test("a payer's leaving leaves the others what they wait for, and the payer its bill", async () => {
    const { ask, below } = worldOf(new Below());
    const [payer, other] = [ask({ deadlineAtMs: 1_500_000 }), ask()];
    payer.leaving.abort(new Failure("deadline_exceeded", "late"));
    expect(await failureOf(payer)).toMatchObject({ kind: "deadline_exceeded" });
    expect(below.calls).toMatchObject([{ deadlineAtMs: undefined, context: { deadlineAtMs: undefined } }]);
    await below.go();
    expect(await textOf(other)).toBe(TEXT);
    expect(other.receipt()).toMatchObject({ cacheKind: "coalesced", attempts: [] });
    await payer.call.tally.outlived;
    expect(payer.receipt()).toMatchObject({ attempts: [{ outcome: "ok" }] });
    expect(payer.receipt().cost?.actualPicoUsd).toBe(4n * PICO_PER_WORD);
  });

  test("a payer's leaving in the midst of it", async () => {
    const { ask, below } = worldOf(new Below());
    const [payer, other] = [ask(), ask()];
    await below.go(2);
    await begin(payer, 1);
    const others = told(other);
    payer.leaving.abort(new Failure("cancelled", "left"));
    await settled();
    expect(below.calls[0]?.signal.aborted).toBe(false);
    await below.go();
    expect(await others).toHaveLength(4);
  });

  test.each(["payer first", "payer last"])("the last one's leaving ends the call: %s", async (order) => {
    const { ask, below, flights } = worldOf(new Below());
    const all = [ask(), ask({ streaming: false }), ask()];
    const failures = all.map(failureOf);
    await settled();
    if (order === "payer last") all.reverse();
    for (const { leaving, id } of all) {
      expect(below.calls[0]?.signal.aborted).toBe(false);
      leaving.abort(new Failure("cancelled", id));
    }
    expect(below.calls[0]?.signal.aborted).toBe(true);
    expect((await Promise.all(failures)).map(({ message }) => message)).toEqual([
      "request-1",
      "request-2",
      "request-3",
    ]);
    expect(flights.size).toBe(0);
    await below.go();
    expect(await textOf(ask())).toBe(TEXT);
    expect(below.calls).toHaveLength(2);
  });

  test.each([
    ["before the first word", { refusal: new Failure("provider_error", "no", { operator: "503" }) }, 0],
    ["behind it", { batches: spoken(WORDS).slice(0, 2), endsWith: new Failure("provider_error", "no") }, 2],
  ])("a failure %s is told to each, as one of its own", async (_, answer, words) => {
    const { ask, below } = worldOf(new Below(answer));
    const all = [ask(), ask(), ask({ streaming: false })];
    const failures = all.map(failureOf);
    await below.go();
    const seen = await Promise.all(failures);
    for (const failure of seen) expect(failure).toMatchObject({ kind: "provider_error", message: "no" });
    expect(new Set(seen).size).toBe(3);
    expect(new Set(seen.map(({ operator }) => operator)).size).toBe(1);
    expect(below.calls[0]?.tally.attempts).toHaveLength(words > 0 ? 1 : 0);
    // The next one is a call of its own.
    void told(ask()).catch(() => {});
    expect(below.calls).toHaveLength(2);
  });
});

describe("money that limits one of them", () => {
  const CUT = {
    batches: [...spoken(["one"]).slice(0, 1), [event({ done: true, finishReason: "budget_exceeded" })]],
  };
  const NONE = { refusal: new Failure("budget_exceeded", "the budget of team a is used up") };

  test("a call with a ceiling of its own is joined by nobody, and joins others", async () => {
    const { ask, below } = worldOf(new Below());
    const maxCost = (10n ** 12n) as PicoUsd;
    const first = ask({ maxCost });
    const second = ask();
    const third = ask({ maxCost });
    await below.go();
    for (const one of [first, second, third]) expect(await textOf(one)).toBe(TEXT);
    expect(below.calls.map(({ context }) => context.requestId)).toEqual([first.id, second.id]);
    expect(third.receipt().cacheKind).toBe("coalesced");
  });

  test("an answer that the payer's budget cut short is given to the payer alone", async () => {
    const { ask, below } = worldOf(new Below(CUT, {}));
    const payer = ask({ streaming: false });
    const others = Array.from({ length: 20 }, () => ask({ streaming: false }));
    const all = others.map(textOf);
    const own = told(payer);
    await below.go();
    expect((await own).at(-1)?.finishReason).toBe("budget_exceeded");
    for (const words of await Promise.all(all)) expect(words).toBe(TEXT);
    expect(below.calls).toHaveLength(2);
    const kinds = others.map((one) => one.receipt().cacheKind).sort();
    expect(kinds).toEqual(["", ...Array(19).fill("coalesced")]);
    expect(others.filter((one) => one.receipt().attempts.length > 0)).toHaveLength(1);
  });

  test("a stream that was given a part of it is told to try again", async () => {
    const { ask, below } = worldOf(new Below(CUT, {}));
    const [payer, other] = [ask(), ask()];
    const own = told(payer);
    const failing = failureOf(other);
    await below.go();
    await own;
    expect(await failing).toMatchObject({ kind: "shared_answer_cut", traits: { retryable: true } });
    // Neither is it kept for others.
    expect(await textOf(ask())).toBe(TEXT);
  });

  test("a refusal of the payer by its budget refuses nobody else", async () => {
    const { ask, below } = worldOf(new Below(NONE, NONE, {}));
    const all = Array.from({ length: 10 }, () => ask());
    const ends = all.map((one) => textOf(one).catch((error: Failure) => error.kind));
    await below.go();
    const refused = "budget_exceeded";
    expect(await Promise.all(ends)).toEqual([refused, refused, ...Array(8).fill(TEXT)]);
    expect(below.calls).toHaveLength(3);
  });
});

describe("a kept stream", () => {
  const asked = async (replay: "at once" | "paced") => {
    const recording = { maxBytes: 100_000, paced: replay === "paced" };
    const world = worldOf(new Below(), { recording });
    const { ask, below, clock } = world;
    const first = ask();
    const all = told(first);
    for (let word = 0; word < 5; word++) {
      await below.go(1);
      await clock.advance(100);
    }
    await below.go();
    await all;
    return world;
  };

  test("is given again at once, as one batch", async () => {
    const { ask } = await asked("at once");
    const { said } = await begin(ask(), 1);
    expect(said[0]?.at(-1)?.done).toBe(true);
  });

  test("is given again as it came, where that is wanted", async () => {
    const { ask, clock } = await asked("paced");
    const came: number[] = [];
    const startMs = clock.now();
    const reading = (async () => {
      for await (const _ of (await ask().reply).events) came.push(clock.now() - startMs);
    })();
    await clock.advance(1_000);
    await reading;
    expect(came).toEqual([0, 100, 200, 300]);
    const whole = await begin(ask({ streaming: false }), 1);
    expect(whole.said[0]).toHaveLength(4);
  });

  test("ends with its caller", async () => {
    const { ask, clock } = await asked("paced");
    const leaver = ask();
    const failing = failureOf(leaver);
    await clock.advance(150);
    leaver.leaving.abort(new Failure("cancelled", "left"));
    expect(await failing).toMatchObject({ kind: "cancelled" });
    expect(clock.pending).toBe(0);
    expect(getEventListeners(leaver.leaving.signal, "abort")).toEqual([]);
  });
});

test("nothing is left of calls that are over", async () => {
  const failing = { batches: spoken(WORDS).slice(0, 1), endsWith: new Failure("cut", "broken") };
  const answers = Array.from({ length: 300 }, (_, round) => (round % 3 === 0 ? failing : {}));
  const { ask, below, flights, clock } = worldOf(new Below(...answers));
  const all: Asked[] = [];
  for (let round = 0; round < 100; round++) {
    const content = `Question ${round}`;
    const theirs = Array.from({ length: 10 }, (_, index) =>
      ask({ streaming: index % 2 === 0 }, { messages: [{ role: "user", content }] }),
    );
    const reading = theirs.map((one, index) => (index === 4 ? begin(one, 1) : told(one)).catch(() => {}));
    if (round % 5 === 0) theirs[0]?.leaving.abort(new Failure("cancelled", "left"));
    if (round % 7 === 0) for (const one of theirs) one.leaving.abort(new Failure("cancelled", "left"));
    await below.go(10);
    for (const one of await Promise.all(reading))
      if (one && "events" in one) await one.events.return?.(undefined);
    all.push(...theirs);
  }
  expect(flights.size).toBe(0);
  expect(clock.pending).toBe(0);
  const signals = [...all.map(({ leaving }) => leaving.signal), ...below.calls.map(({ signal }) => signal)];
  for (const signal of signals) expect(getEventListeners(signal, "abort")).toEqual([]);
});
