/** One reply that several read: whatever they do and in whatever order, each gets all of it, or knows why not. */
import { getEventListeners } from "node:events";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Flight, type Waiter } from "../../src/cache/flight.ts";
import { sizeOf } from "../../src/cache/size.ts";
import { Failure } from "../../src/core/failure.ts";
import { type Batch, event } from "../../src/core/reply.ts";
import { settled, VirtualClock } from "../support/clock.ts";

/** A call whose reply comes piece by piece, as the test lets it. */
class Source {
  begun = 0;
  read = 0;
  returned = false;
  signal: AbortSignal | undefined;
  private readonly batches: readonly Batch[];
  private readonly endsWith: Error | undefined;
  private readonly granted: (() => void)[] = [];
  private free = 0;

  constructor(batches: readonly Batch[], endsWith?: Error) {
    this.batches = batches;
    this.endsWith = endsWith;
  }

  /** Lets so many steps happen: the commit is the first. */
  grant(steps = 1): void {
    for (let step = 0; step < steps; step++) {
      const waiting = this.granted.shift();
      if (waiting) waiting();
      else this.free++;
    }
  }

  async begin(signal: AbortSignal) {
    this.begun++;
    this.signal = signal;
    await this.step();
    return { events: this.events() };
  }

  private async *events(): AsyncGenerator<Batch> {
    try {
      for (const batch of this.batches) {
        await this.step();
        this.read++;
        yield batch;
      }
      await this.step();
      if (this.endsWith) throw this.endsWith;
    } finally {
      this.returned = true;
    }
  }

  private step(): Promise<void> {
    this.signal?.throwIfAborted();
    if (this.free > 0) {
      this.free--;
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      const abort = () => reject(this.signal?.reason);
      this.signal?.addEventListener("abort", abort, { once: true });
      this.granted.push(() => {
        this.signal?.removeEventListener("abort", abort);
        resolve();
      });
    });
  }
}

function words(count: number, done = true): Batch[] {
  const said = Array.from({ length: count }, (_, index) => [event({ token: `word ${index}` })]);
  return done ? [...said, [event({ done: true, finishReason: "stop" })]] : said;
}

function textOf(batches: readonly Batch[]): string {
  return batches.flatMap((batch) => batch.map(({ token, done }) => (done ? " done" : token))).join("");
}

interface Watched {
  readonly flight: Flight;
  readonly source: Source;
  readonly clock: VirtualClock;
  /** When each batch was told. */
  readonly tookAtMs: number[];
  closed: number;
}

function flightOf(source: Source, maxBytes = 1_000_000): Watched {
  const clock = new VirtualClock();
  const watched: { -readonly [K in keyof Watched]: Watched[K] } = {
    source,
    clock,
    tookAtMs: [],
    closed: 0,
    flight: new Flight({
      begin: (signal) => source.begin(signal),
      maxBytes,
      clock,
      took: (_, atMs) => {
        watched.tookAtMs.push(atMs);
      },
      closed: () => {
        watched.closed++;
      },
    }),
  };
  return watched;
}

/** One who joined, and what became of it. */
class Reader {
  readonly leaving = new AbortController();
  readonly got: Batch[] = [];
  end: "open" | "whole" | "left" | Error = "open";
  private readonly waiter: Waiter;
  private reading = false;

  constructor(waiter: Waiter) {
    this.waiter = waiter;
  }

  static join(flight: Flight): Reader | undefined {
    const leaving = new AbortController();
    const waiter = flight.join(leaving.signal);
    if (!waiter) return undefined;
    const reader = new Reader(waiter);
    Object.assign(reader, { leaving });
    return reader;
  }

  get isOpen(): boolean {
    return this.end === "open";
  }

  async next(): Promise<void> {
    if (this.reading || !this.isOpen) return;
    this.reading = true;
    try {
      const batch = await this.waiter.next();
      if (batch) this.got.push(batch);
      else this.end = "whole";
    } catch (error) {
      this.end = error as Error;
    }
    this.reading = false;
    if (!this.isOpen) await this.waiter.leave();
  }

  async all(): Promise<void> {
    while (this.isOpen) await this.next();
  }

  /** A generator's `return` comes behind what is being read. */
  async leave(): Promise<void> {
    if (this.reading || !this.isOpen) return;
    this.end = "left";
    await this.waiter.leave();
  }

  abort(): void {
    this.leaving.abort(new Failure("cancelled", "left"));
  }

  /** Late ones are given at once what was said by then. */
  get text(): string {
    return textOf(this.got);
  }

  get listeners(): number {
    return getEventListeners(this.leaving.signal, "abort").length;
  }
}

function joined(flight: Flight): Reader {
  const reader = Reader.join(flight);
  if (!reader) throw new Error("it is too late to join");
  return reader;
}

describe("a reply that several read", () => {
  test("is asked for once, and read from its start by who comes later", async () => {
    const { flight, source } = flightOf(new Source(words(3)));
    const first = joined(flight);
    source.grant(3);
    await first.next();
    await first.next();
    const second = joined(flight);
    source.grant(10);
    await Promise.all([first.all(), second.all()]);
    expect(first.got).toEqual(words(3));
    expect(second.text).toBe(first.text);
    expect(source.begun).toBe(1);
  });

  test("is read as fast as the fastest reads it, and no faster", async () => {
    const { flight, source } = flightOf(new Source(words(9)));
    const [fast, slow] = [joined(flight), joined(flight)];
    source.grant(20);
    for (let read = 0; read < 4; read++) await fast.next();
    await slow.next();
    await settled();
    // The generator below runs up to what it was asked for.
    expect(source.read).toBe(4);
  });

  test("goes on when one leaves, the first included, and ends when the last does", async () => {
    const { flight, source } = flightOf(new Source(words(5)));
    const [first, second] = [joined(flight), joined(flight)];
    source.grant(2);
    await Promise.all([first.next(), second.next()]);
    const pending = first.next();
    first.abort();
    await pending;
    expect(first.end).toMatchObject({ kind: "cancelled" });
    expect(source.signal?.aborted).toBe(false);
    source.grant();
    await second.next();
    expect(second.got).toHaveLength(2);
    const last = second.next();
    second.abort();
    await last;
    expect(source.signal?.reason).toBe(second.leaving.signal.reason);
    expect(second.end).toBe(second.leaving.signal.reason);
    expect(flight.isOver).toBe(true);
  });

  test("is let go of at once by a caller who left and reads nothing any more", async () => {
    const { flight, source } = flightOf(new Source(words(5)));
    const only = joined(flight);
    source.grant(2);
    await only.next();
    only.abort();
    expect(source.signal?.aborted).toBe(true);
    await only.leave();
    expect(source.returned).toBe(true);
  });

  test("is ended by its signal when the last stops reading while it is waited for", async () => {
    const { flight, source } = flightOf(new Source(words(5)));
    const [first, second] = [joined(flight), joined(flight)];
    source.grant(2);
    await Promise.all([first.next(), second.next()]);
    const pending = first.next();
    first.abort();
    await pending;
    await second.leave();
    expect(source.signal?.reason).toMatchObject({ kind: "cancelled" });
    expect(flight.isOver).toBe(true);
  });

  test("fails for all, before the first word and behind what was said", async () => {
    const error = new Failure("provider_error", "no");
    const early = flightOf(new Source([], error));
    const late = flightOf(new Source(words(2, false), error));
    const readers = [early, late].flatMap(({ flight }) => [joined(flight), joined(flight)]);
    early.source.grant(5);
    late.source.grant(5);
    await Promise.all(readers.map((reader) => reader.all()));
    expect(readers.map(({ end }) => end)).toEqual([error, error, error, error]);
    expect(readers.map(({ got }) => got.length)).toEqual([0, 0, 2, 2]);
    expect(Reader.join(early.flight)).toBeUndefined();
  });

  test("is kept for who comes late in less room than it came in, and that is not changed for another", async () => {
    const { flight, source } = flightOf(new Source(words(1_000)));
    const first = joined(flight);
    source.grant(2_000);
    for (let read = 0; read < 500; read++) await first.next();
    expect(10 * flight.keptBytes).toBeLessThan(sizeOf(words(500)));
    const second = joined(flight);
    for (let read = 0; read < 400; read++) await first.next();
    await second.next();
    expect(second.got[0]).toHaveLength(1);
    await Promise.all([first.all(), second.all()]);
    expect(second.text).toBe(textOf(words(1_000)));
  });

  test("is told as it comes, and cannot be joined behind it", async () => {
    const watched = flightOf(new Source(words(2)));
    const reader = joined(watched.flight);
    watched.source.grant(2);
    await reader.next();
    await watched.clock.advance(70);
    watched.source.grant(2);
    await reader.next();
    const last = reader.next();
    await settled();
    expect(watched.tookAtMs).toEqual([0, 70, 70]);
    await last;
    expect(watched.closed).toBe(1);
    expect(Reader.join(watched.flight)).toBeUndefined();
    watched.source.grant();
    await reader.all();
    expect(watched.closed).toBe(1);
  });
});

describe("a reply that is too long to keep", () => {
  const BOUND = 3 * sizeOf([event({ token: "word 10" })]);

  test("is read by one alone, without being kept, and joined no more", async () => {
    const { flight, source } = flightOf(new Source(words(200)), BOUND);
    const only = joined(flight);
    source.grant(300);
    while (only.isOpen) {
      await only.next();
      expect(flight.keptBytes).toBeLessThanOrEqual(2 * BOUND);
      if (only.got.length > 100) expect(Reader.join(flight)).toBeUndefined();
    }
    expect(only.got).toEqual(words(200));
  });

  test("is lost by who lags behind, and by nobody else", async () => {
    const { flight, source } = flightOf(new Source(words(50)), BOUND);
    const [fast, near, slow] = [joined(flight), joined(flight), joined(flight)];
    source.grant(100);
    await Promise.all([fast.all(), near.all(), slow.next()]);
    await slow.all();
    expect(fast.got).toEqual(words(50));
    expect(near.got).toEqual(words(50));
    expect(slow.end).toMatchObject({ kind: "slow_reader" });
    expect(flight.keptBytes).toBeLessThanOrEqual(BOUND);
  });

  test("is not lost by who only waits for its turn", async () => {
    const { flight, source } = flightOf(new Source(words(50)), BOUND);
    const [fast, late] = [joined(flight), joined(flight)];
    source.grant(100);
    const all = fast.all();
    // Behind some other work, as in a crowd: the other one has read on meanwhile.
    for (let turn = 0; turn < 30; turn++) await Promise.resolve();
    expect(fast.got.length).toBeGreaterThan(2);
    await late.next();
    expect(late.got).toHaveLength(1);
    await Promise.all([all, late.leave()]);
  });

  test("is read at its own pace by who was left alone with it", async () => {
    const { flight, source } = flightOf(new Source(words(50)), BOUND);
    const [fast, slow] = [joined(flight), joined(flight)];
    source.grant(100);
    for (let read = 0; read < 4; read++) await fast.next();
    fast.abort();
    await slow.all();
    expect(slow.got).toEqual(words(50));
  });
});

type Step =
  | { readonly kind: "join" | "grant" }
  | { readonly kind: "next" | "abort" | "leave"; readonly who: number };

const who = fc.nat({ max: 7 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: fc.constant<Step>({ kind: "join" }) },
  { weight: 4, arbitrary: fc.constant<Step>({ kind: "grant" }) },
  { weight: 8, arbitrary: who.map((one): Step => ({ kind: "next", who: one })) },
  { weight: 1, arbitrary: who.map((one): Step => ({ kind: "abort", who: one })) },
  { weight: 1, arbitrary: who.map((one): Step => ({ kind: "leave", who: one })) },
);

const plan = fc.record({
  steps: fc.array(step, { maxLength: 60 }),
  length: fc.nat({ max: 12 }),
  fails: fc.boolean(),
  keeps: fc.constantFrom(2, 5, 1_000),
  settles: fc.boolean(),
});

test("in any order of reading, joining and leaving, nobody hangs, lacks a word, or holds up another", async () => {
  await fc.assert(
    fc.asyncProperty(plan, async ({ steps, length, fails, keeps, settles }) => {
      const failure = new Failure("cut", "the connection broke");
      const batches = words(length, !fails);
      const source = new Source(batches, fails ? failure : undefined);
      const largest = sizeOf([event({ done: true, finishReason: "stop" })]);
      const watched = flightOf(source, keeps * largest);
      const { flight } = watched;
      const readers = [joined(flight)];
      let everybodyLeft = false;
      for (const one of steps) {
        if ("who" in one) {
          const reader = readers[one.who % readers.length];
          if (one.kind === "next") void reader?.next();
          else if (one.kind === "leave") void reader?.leave();
          else reader?.abort();
        } else if (one.kind === "grant") source.grant();
        else {
          const reader = Reader.join(flight);
          if (reader) readers.push(reader);
        }
        if (settles) await settled();
        expect(flight.keptBytes).toBeLessThanOrEqual((keeps + 1) * largest);
        everybodyLeft ||= flight.waiting === 0;
        // Nothing ends it for those who stay.
        if (!everybodyLeft) expect(source.signal?.aborted ?? false).toBe(false);
      }
      source.grant(length + 10);
      await Promise.all(readers.map((reader) => reader.all()));
      await flight.over;
      const all = textOf(batches);
      for (const { text, end, leaving, listeners } of readers) {
        expect(all.startsWith(text)).toBe(true);
        expect(listeners).toBe(0);
        if (end === "whole" || end === failure) expect(text).toBe(all);
        else if (end !== "left" && end !== leaving.signal.reason)
          expect(end).toMatchObject({ kind: "slow_reader" });
        if (end instanceof Failure && end.kind === "slow_reader") expect(readers.length).toBeGreaterThan(1);
      }
      expect(flight.waiting).toBe(0);
      expect(watched.closed).toBe(1);
      expect(source.begun).toBe(1);
      expect(source.returned || source.signal?.aborted).toBe(true);
      expect(source.signal && getEventListeners(source.signal, "abort")).toEqual([]);
      expect(Reader.join(flight)).toBeUndefined();
    }),
    { numRuns: 500 },
  );
}, 60_000);
