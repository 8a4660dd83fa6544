/** Rows on their way to a store that is slow, fails or is gone, in virtual time. */
import { describe, expect, it } from "vitest";
import { Failure } from "../../src/core/failure.ts";
import type { LedgerBatch } from "../../src/core/ledger.ts";
import { createLedger, type LedgerOptions } from "../../src/cost/ledger.ts";
import { settled, VirtualClock } from "../support/clock.ts";
import { callRowOf, intentOf, settlementOf } from "../support/ledger.ts";

const { signal: NEVER } = new AbortController();
const LOOSE = { durable: false, signal: NEVER };
const SAFE = { durable: true, signal: NEVER };

describe("groups", () => {
  it("hold the intents of 10 ms, and nothing that can wait", async () => {
    const { ledger, clock, store } = setUp();
    expect(ledger.open(intentOf("a"), LOOSE)).toBeUndefined();
    await clock.advance(3);
    ledger.open(intentOf("b"), LOOSE);
    ledger.settle(settlementOf("a"));
    ledger.call(callRowOf("a"));
    expect(store.told).toEqual([]);
    await clock.advance(7);
    expect(store.told).toEqual(["a b |  | "]);
    await clock.advance(240);
    expect(store.told).toEqual(["a b |  | ", " | a | a"]);
    await clock.advance(1_000);
    expect(store.told).toHaveLength(2);
    expect(clock.pending).toBe(0);
  });

  it("hold the settlements and calls of 250 ms", async () => {
    const { ledger, clock, store } = setUp();
    for (const id of ["a", "b"]) ledger.open(intentOf(id), LOOSE);
    await clock.advance(10);
    ledger.settle(settlementOf("a"));
    await clock.advance(100);
    ledger.settle(settlementOf("b"));
    ledger.call(callRowOf("a"));
    await clock.advance(50);
    expect(store.told).toEqual(["a b |  | "]);
    await clock.advance(100);
    expect(store.told).toEqual(["a b |  | ", " | a b | a"]);
  });

  it("hold what is due soon beside intents that are due, and no intent waits for it", async () => {
    const { ledger, clock, store } = setUp();
    ledger.open(intentOf("a"), LOOSE);
    ledger.settle(settlementOf("a"));
    await clock.advance(188);
    ledger.open(intentOf("b"), LOOSE);
    await clock.advance(10);
    expect(store.told).toEqual(["a |  | ", "b | a | "]);
  });

  it("outlast the system where somebody waits for it, or anything was paid", async () => {
    const { ledger, clock, store } = setUp();
    ledger.open(intentOf("a"), LOOSE);
    await clock.advance(10);
    ledger.open(intentOf("b"), LOOSE);
    const opened = watch(ledger.open(intentOf("c"), SAFE));
    await clock.advance(10);
    expect(opened.state).toBe("resolved");
    ledger.open(intentOf("d"), LOOSE);
    await clock.advance(10);
    ledger.settle(settlementOf("a"));
    await clock.advance(250);
    expect(store.told).toEqual(["a |  | ", "b c |  | ", "d |  | ", " | a | "]);
    expect(store.batches.map(({ durable }) => durable)).toEqual([false, true, false, true]);
  });

  it("go one at a time, and the next gathers meanwhile", async () => {
    const { ledger, clock, store } = setUp();
    store.hold();
    ledger.open(intentOf("a"), LOOSE);
    await clock.advance(10);
    ledger.open(intentOf("b"), LOOSE);
    await clock.advance(10);
    ledger.open(intentOf("c"), LOOSE);
    ledger.settle(settlementOf("a"));
    await clock.advance(1_000);
    expect(store.told).toEqual(["a |  | "]);
    store.release();
    await clock.advance(0);
    expect(store.told).toEqual(["a |  | ", "b c | a | "]);
  });

  it("are of a bounded size, and settle nothing before it is begun", async () => {
    const { ledger, clock, store } = setUp();
    for (let index = 0; index < 2_500; index++) {
      ledger.open(intentOf(`${index}`), LOOSE);
      ledger.settle(settlementOf(`${index}`));
    }
    await clock.advance(300);
    const begun = new Set<string>();
    for (const { intents, settlements } of store.batches) {
      expect(Math.max(intents.length, settlements.length)).toBeLessThanOrEqual(1_000);
      for (const { callId } of intents) begun.add(callId);
      expect(settlements.every(({ callId }) => begun.has(callId))).toBe(true);
    }
    expect(store.batches.flatMap(({ settlements }) => settlements)).toHaveLength(2_500);
  });
});

describe("whoever waits until a row is safe", () => {
  it("waits for the store", async () => {
    const { ledger, clock, store } = setUp();
    store.hold();
    const opened = watch(ledger.open(intentOf("a"), SAFE));
    await clock.advance(1_000);
    expect(opened.state).toBe("waiting");
    store.release();
    await clock.advance(0);
    expect(opened.state).toBe("resolved");
  });

  it("waits no longer than its signal says, and settles all the same", async () => {
    const { ledger, clock, store } = setUp();
    store.hold();
    const controller = new AbortController();
    const opened = watch(ledger.open(intentOf("a"), { durable: true, signal: controller.signal }));
    await clock.advance(10);
    controller.abort(new Failure("cancelled", "left"));
    await settled();
    expect(opened.state).toMatchObject({ kind: "cancelled" });
    ledger.settle(settlementOf("a"));
    store.release();
    await clock.advance(300);
    expect(store.told).toEqual(["a |  | ", " | a | "]);
    const before = watch(ledger.open(intentOf("b"), { durable: true, signal: AbortSignal.abort("gone") }));
    await settled();
    expect(before.state).toBe("gone");
  });

  it("learns at once that there is none while the store fails, until it works again", async () => {
    const { ledger, clock, store, errors } = setUp();
    store.fail(2);
    const [first, second] = [intentOf("a"), intentOf("b")].map((intent) => watch(ledger.open(intent, SAFE)));
    await clock.advance(10);
    const unavailable = { kind: "budget_unavailable", operator: "disk full" };
    expect(first?.state).toMatchObject(unavailable);
    expect(second?.state).toMatchObject(unavailable);
    const third = watch(ledger.open(intentOf("c"), SAFE));
    await settled();
    expect(third.state).toMatchObject(unavailable);
    // Refused, so that there is nothing to settle.
    ledger.settle(settlementOf("c"));
    ledger.settle(settlementOf("a"));
    await clock.advance(1_000);
    expect(errors).toHaveLength(2);
    expect(store.kept).toEqual(["a b |  | ", " | a | "]);
    const fourth = watch(ledger.open(intentOf("d"), SAFE));
    await clock.advance(10);
    expect(fourth.state).toBe("resolved");
  });
});

describe("a store that fails", () => {
  it("is asked again and again, ever more slowly, with the same rows", async () => {
    const { ledger, clock, store, errors, lost } = setUp();
    store.fail(8);
    ledger.open(intentOf("a"), LOOSE);
    const times: number[] = [];
    store.onAppend = () => times.push(clock.now());
    await clock.advance(60_000);
    expect(times.map((time, index) => time - (times[index - 1] ?? time))).toEqual([
      0, 100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000,
    ]);
    expect(new Set(store.told)).toEqual(new Set(["a |  | "]));
    expect(errors).toHaveLength(8);
    expect(lost()).toBe(0);
  });
});

describe("memory that is full", () => {
  it("holds attempts back, in their order, until there is room", async () => {
    const { ledger, clock, store, lost } = setUp({ maxWaitingRows: 7 });
    store.hold();
    const opened = ["a", "b", "c", "d"].map((id) => ledger.open(intentOf(id), LOOSE));
    // Each has room for itself, its settlement and its call.
    expect(opened.map((wait) => wait !== undefined)).toEqual([false, false, true, true]);
    const [third, fourth] = opened.slice(2).map(watch);
    await clock.advance(10_000);
    expect(third?.state).toBe("waiting");
    store.release();
    await clock.advance(20);
    // The rows are written, and the rooms of what is under way are kept.
    expect([third?.state, fourth?.state]).toEqual(["resolved", "waiting"]);
    for (const id of ["a", "b"]) {
      ledger.settle(settlementOf(id));
      ledger.call(callRowOf(id));
    }
    await clock.advance(300);
    expect(fourth?.state).toBe("resolved");
    await clock.advance(300);
    expect(store.kept.join("; ")).toBe("a b |  | ; c |  | ;  | a b | a b; d |  | ");
    expect(lost()).toBe(0);
  });

  it("never holds more than it may, whatever comes", async () => {
    const { ledger, clock, store, lost } = setUp({ maxWaitingRows: 100 });
    store.hold();
    const controller = new AbortController();
    for (let index = 0; index < 1_000; index++) {
      ledger
        .open(intentOf(`${index % 70}`, { attempt: { number: index } }), {
          durable: false,
          signal: controller.signal,
        })
        ?.catch(() => {});
      if (index % 3 === 0) ledger.settle(settlementOf(`${index % 70}`, { number: index }));
      ledger.call(callRowOf(`${index % 140}`));
      if (index % 10 === 0) await clock.advance(1);
      expect(ledger.waitingRows).toBeLessThanOrEqual(100);
    }
    expect(lost()).toBeGreaterThan(0);
    controller.abort();
    store.release();
    await ledger.flush();
    expect(ledger.waitingRows).toBeLessThanOrEqual(100);
  });

  it("gives the place of one who leaves to the next", async () => {
    const { ledger, clock, store } = setUp({ maxWaitingRows: 3 });
    ledger.open(intentOf("a"), LOOSE);
    const controller = new AbortController();
    const leaves = watch(ledger.open(intentOf("b"), { durable: false, signal: controller.signal }));
    const stays = watch(ledger.open(intentOf("c"), SAFE));
    controller.abort("left");
    await settled();
    expect(leaves.state).toBe("left");
    ledger.settle(settlementOf("b"));
    ledger.settle(settlementOf("a"));
    ledger.call(callRowOf("a"));
    await clock.advance(20);
    expect(stays.state).toBe("resolved");
    expect(store.kept).toEqual(["a | a | a", "c |  | "]);
  });

  it("lets attempts through and counts what is lost, where it is told so", async () => {
    const { ledger, clock, store, lost } = setUp({ maxWaitingRows: 4, whenFull: "drop" });
    store.hold();
    ledger.open(intentOf("a"), LOOSE);
    expect(ledger.open(intentOf("b"), LOOSE)).toBeUndefined();
    expect(lost()).toBe(1);
    // The same row.
    ledger.settle(settlementOf("b"));
    expect(lost()).toBe(1);
    ledger.call(callRowOf("b"));
    expect(lost()).toBe(1);
    ledger.call(callRowOf("c"));
    expect(lost()).toBe(2);
    // What was begun has its room.
    ledger.settle(settlementOf("a"));
    ledger.call(callRowOf("a"));
    expect(lost()).toBe(2);
    const hard = watch(ledger.open(intentOf("d"), SAFE));
    await settled();
    expect(hard.state).toMatchObject({ kind: "budget_unavailable" });
    expect(lost()).toBe(2);
    store.release();
    await clock.advance(300);
    expect(store.kept.join("; ")).toBe("a |  | ;  | a | b a");
  });

  it("keeps no room from others for what takes hours", async () => {
    const { ledger, clock, store, lost } = setUp({ maxWaitingRows: 4 });
    for (const id of ["a", "b", "c", "d"]) {
      expect(ledger.open({ ...intentOf(id), patient: true }, LOOSE)).toBeUndefined();
      await clock.advance(10);
    }
    expect(ledger.waitingRows).toBe(0);
    expect(ledger.open(intentOf("e"), LOOSE)).toBeUndefined();
    for (const id of ["a", "b", "c", "d"]) ledger.settle(settlementOf(id));
    for (const id of ["a", "b", "c", "d"]) ledger.call(callRowOf(id));
    await clock.advance(300);
    expect(lost()).toBe(0);
    expect(store.kept.join("; ")).toBe("a |  | ; b |  | ; c |  | ; d |  | ; e |  | ;  | a b c d | a b c d");
  });

  it("has room again for a call's further attempts", async () => {
    const { ledger, clock } = setUp({ maxWaitingRows: 4 });
    expect(ledger.open(intentOf("a"), LOOSE)).toBeUndefined();
    await clock.advance(10);
    expect(ledger.waitingRows).toBe(2);
    expect(ledger.open(intentOf("a", { attempt: { number: 2 } }), LOOSE)).toBeUndefined();
    expect(ledger.waitingRows).toBe(4);
  });
});

describe("the end", () => {
  it("writes what waits", async () => {
    const { ledger, store, clock } = setUp();
    ledger.open(intentOf("a"), LOOSE);
    ledger.settle(settlementOf("a"));
    await ledger.close();
    expect(store.kept).toEqual(["a | a | "]);
    expect(clock.pending).toBe(0);
  });

  it("waits for what is being written, and writes what came meanwhile", async () => {
    const { ledger, store, clock } = setUp();
    store.hold();
    ledger.open(intentOf("a"), LOOSE);
    await clock.advance(10);
    ledger.open(intentOf("b"), LOOSE);
    const flushed = watch(ledger.flush());
    await settled();
    expect(flushed.state).toBe("waiting");
    store.release();
    await settled();
    expect(flushed.state).toBe("resolved");
    expect(store.kept).toEqual(["a |  | ", "b |  | "]);
  });

  it("lets nobody wait for all of it while the store takes nothing", async () => {
    const { ledger, clock, store } = setUp();
    store.fail(2);
    ledger.open(intentOf("a"), LOOSE);
    const waits = watch(ledger.flush());
    const waitsToo = watch(ledger.flush());
    await settled();
    const asks = watch(ledger.flush());
    await settled();
    for (const { state } of [waits, waitsToo, asks]) expect(String(state)).toContain("disk full");
    await clock.advance(400);
    const later = watch(ledger.flush());
    await settled();
    expect(later.state).toBe("resolved");
    expect(store.kept).toEqual(["a |  | "]);
  });

  it("gives up on a store that takes nothing, and counts what is lost", async () => {
    const { ledger, store, clock, errors, lost } = setUp();
    store.fail(Number.POSITIVE_INFINITY);
    ledger.open(intentOf("a"), LOOSE);
    ledger.settle(settlementOf("a"));
    ledger.call(callRowOf("a"));
    const closed = watch(ledger.close());
    await clock.advance(1_000);
    expect(closed.state).toBe("resolved");
    expect(errors).toHaveLength(3);
    expect(lost()).toBe(3);
  });
});

function setUp(options: Partial<Pick<LedgerOptions, "maxWaitingRows" | "whenFull">> = {}) {
  const clock = new VirtualClock();
  const store = new SlowStore();
  const errors: unknown[] = [];
  let rowsLost = 0;
  const ledger = createLedger({
    store,
    clock,
    maxWaitingRows: 20_000,
    whenFull: "wait",
    ...options,
    onLost(rows) {
      rowsLost += rows;
    },
    onError: (error) => errors.push(error),
  });
  return { clock, store, ledger, errors, lost: () => rowsLost };
}

/** Keeps what it is given when the test lets it. A batch is told as the calls of its intents, settlements and calls. */
class SlowStore {
  readonly batches: LedgerBatch[] = [];
  readonly kept: string[] = [];
  onAppend = () => {};
  private held: PromiseWithResolvers<void> | undefined;
  private failures = 0;

  get told(): string[] {
    return this.batches.map(inWords);
  }

  async append(batch: LedgerBatch): Promise<void> {
    this.batches.push(batch);
    this.onAppend();
    await this.held?.promise;
    if (this.failures-- > 0) throw new Error("disk full");
    this.kept.push(inWords(batch));
  }

  hold(): void {
    this.held = Promise.withResolvers();
  }

  release(): void {
    this.held?.resolve();
    this.held = undefined;
  }

  fail(times: number): void {
    this.failures = times;
  }
}

function inWords({ intents, settlements, calls }: LedgerBatch): string {
  return [intents, settlements, calls].map((rows) => rows.map(({ callId }) => callId).join(" ")).join(" | ");
}

/** What a promise has come to by now. */
function watch(promise: Promise<void> | undefined): { state: unknown } {
  const watched: { state: unknown } = { state: "waiting" };
  promise?.then(
    () => {
      watched.state = "resolved";
    },
    (reason) => {
      watched.state = reason;
    },
  );
  return watched;
}
