/** When a batch is made, how often it is asked for, and who is told what when it ends: in virtual time. */
import { expect, test } from "vitest";
import { Failure } from "../../src/core/failure.ts";
import { BatchLane } from "../../src/providers/batch/lane.ts";
import type { BatchAdapter, BatchResult, BatchState } from "../../src/providers/batch_adapter.ts";
import { settled, VirtualClock } from "../support/clock.ts";

const RUNNING: BatchState = { state: "running", lines: undefined, reason: "in_progress" };

/** A provider's batches as the test has them, and when they were asked for. */
function laneOn(limits: Partial<Pick<BatchAdapter, "maxLines" | "maxBytes">> = {}) {
  const clock = new VirtualClock(0);
  const made: (readonly string[])[] = [];
  const polls: number[] = [];
  const cancelled: string[] = [];
  const provider = {
    clock,
    made,
    polls,
    cancelled,
    state: RUNNING as BatchState | Failure,
    results: [] as BatchResult[],
    unreadable: undefined as Failure | undefined,
    /** What the next cancellations fail with. */
    deaf: [] as Failure[],
  };
  const adapter: BatchAdapter = {
    maxLines: 1_000,
    maxBytes: 1_000,
    ...limits,
    line: (customId) => customId.padEnd(9, "."),
    create: async (lines) => `batch-${made.push(lines)}`,
    poll: async () => {
      polls.push(clock.now());
      if (provider.state instanceof Failure) throw provider.state;
      return provider.state;
    },
    async *results() {
      yield* provider.results;
      if (provider.unreadable) throw provider.unreadable;
    },
    cancel: async (id) => {
      const failure = provider.deaf.shift();
      if (failure) throw failure;
      cancelled.push(id);
    },
  };
  const lane = new BatchLane(adapter, clock);
  const submit = (
    customId: string,
    signal = new AbortController().signal,
    park = async (_: string) => {},
    model = "m",
  ) =>
    lane
      .submit({ customId, model, wire: { path: "", body: "" }, park, signal })
      .catch((error: Failure) => error);
  const takeUp = (where: string, signal: AbortSignal) =>
    lane.resume(where, signal).catch((error: Failure) => error);
  /** As it was kept before a place told how many lines there are. */
  const resume = (batch: string, customId: string, signal = new AbortController().signal) =>
    takeUp(JSON.stringify({ batch, customId }), signal);
  return { ...provider, provider, submit, takeUp, resume };
}

const reply = (customId: string): BatchResult => ({ customId, status: 200, body: "{}" });
const gone = () => new Failure("cancelled", "the job was cancelled");

test("gathers for two seconds, or until a batch is full of lines or of bytes", async () => {
  const { clock, made, submit } = laneOn({ maxLines: 3, maxBytes: 25 });
  void submit("a");
  await clock.advance(1_999);
  expect(made.length).toBe(0);
  await clock.advance(1);
  expect(made).toEqual([["a........"]]);
  // Two of ten bytes each fill it, since the third does not fit.
  for (const id of ["b", "c", "d"]) void submit(id);
  await settled();
  expect(made[1]).toEqual(["b........", "c........"]);
  await clock.advance(2_000);
  expect(made[2]).toEqual(["d........"]);

  const lines = laneOn({ maxLines: 3 });
  for (const id of ["a", "b", "c"]) void lines.submit(id);
  await settled();
  expect(lines.made.map(({ length }) => length)).toEqual([3]);
  expect(await laneOn({ maxBytes: 5 }).submit("a")).toMatchObject({ kind: "payload_too_large" });
});

test("makes a batch for each model, since providers take none of several", async () => {
  const { clock, made, submit } = laneOn({ maxLines: 2 });
  const of = (model: string, customId: string) => void submit(customId, undefined, undefined, model);
  of("large", "a");
  await clock.advance(1_000);
  of("small", "b");
  of("large", "c");
  await settled();
  expect(made).toEqual([["a........", "c........"]]);
  await clock.advance(1_000);
  of("small", "d");
  await settled();
  expect(made[1]).toEqual(["b........", "d........"]);
  expect(clock.pending).toBe(2);
});

test("asks after five seconds and ever more seldom, down to once a minute, whatever the provider has", async () => {
  const { clock, provider, polls, submit } = laneOn();
  provider.state = new Failure("provider_overloaded", "busy");
  const waiting = submit("a");
  await clock.advance(2_000);
  await clock.advance(200_000);
  expect(polls.map((at) => (at - 2_000) / 1_000)).toEqual([5, 15, 35, 75, 135, 195]);
  provider.state = { state: "complete", lines: 1, reason: "completed" };
  provider.results.push(reply("a"));
  await clock.advance(60_000);
  expect(await waiting).toEqual(reply("a"));
  expect(clock.pending).toBe(0);
});

test("a caller who leaves before the batch is made was never there", async () => {
  const { clock, made, submit } = laneOn();
  const leaving = new AbortController();
  const left = submit("a", leaving.signal);
  void submit("b");
  leaving.abort(gone());
  expect(await left).toMatchObject({ kind: "cancelled", maybePaid: false });
  await clock.advance(2_000);
  expect(made).toEqual([["b........"]]);
});

test("a gateway that stops leaves the batch alone, and asks no more", async () => {
  const { clock, cancelled, polls, submit } = laneOn();
  const stopping = new AbortController();
  const calls = ["a", "b"].map((id) => submit(id, stopping.signal));
  await clock.advance(2_000);
  stopping.abort(new Failure("shutting_down", "the gateway is being stopped"));
  for (const call of calls) expect(await call).toMatchObject({ kind: "shutting_down", suspended: true });
  await clock.advance(600_000);
  expect([cancelled, polls, clock.pending]).toEqual([[], [], 0]);
});

test("one who takes up a part of a batch does not end it for those who come later", async () => {
  const { clock, provider, cancelled, resume } = laneOn();
  provider.state = { ...RUNNING, lines: 2 };
  const [first, second] = [new AbortController(), new AbortController()];
  const one = resume("batch-7", "a", first.signal);
  first.abort(gone());
  await clock.advance(2_000);
  expect(await one).toMatchObject({ kind: "cancelled", maybePaid: true });
  expect(cancelled).toEqual([]);

  const both = [resume("batch-7", "a", second.signal), resume("batch-7", "b", second.signal)];
  second.abort(gone());
  await clock.advance(0);
  expect(cancelled).toEqual(["batch-7"]);
  provider.state = { state: "partial", lines: 2, reason: "cancelled" };
  provider.results.push(reply("a"));
  await clock.advance(60_000);
  expect(await both[0]).toEqual(reply("a"));
  expect(await both[1]).toMatchObject({ kind: "cancelled", maybePaid: false });
});

test("what is taken up is cancelled though the provider does not say yet how much it holds", async () => {
  const { clock, provider, cancelled, submit, takeUp } = laneOn();
  const [stopping, leaving] = [new AbortController(), new AbortController()];
  const place = Promise.withResolvers<string>();
  const stopped = submit("a", stopping.signal, async (where) => place.resolve(where));
  await clock.advance(2_000);
  stopping.abort(new Failure("shutting_down", "the gateway is being stopped"));
  await stopped;
  provider.state = new Failure("unreachable", "gone");
  const taken = takeUp(await place.promise, leaving.signal);
  leaving.abort(gone());
  await clock.advance(5_000);
  expect(cancelled).toEqual(["batch-1"]);
  provider.state = { state: "partial", lines: 1, reason: "cancelled" };
  await clock.advance(60_000);
  expect(await taken).toMatchObject({ kind: "cancelled", maybePaid: false });
});

test("waits twelve minutes for the end of what it cancelled", async () => {
  const { clock, cancelled, submit } = laneOn();
  const leaving = new AbortController();
  const call = submit("a", leaving.signal);
  await clock.advance(2_000);
  leaving.abort(gone());
  await clock.advance(12 * 60_000);
  expect(cancelled).toEqual(["batch-1"]);
  expect(await call).toMatchObject({ kind: "cancelled", maybePaid: true });
  expect(clock.pending).toBe(0);
});

test("cancels again what the provider did not hear of, and once what it did", async () => {
  const { clock, provider, cancelled, submit } = laneOn();
  provider.deaf.push(new Failure("unreachable", "gone"), new Failure("provider_overloaded", "busy"));
  const leaving = new AbortController();
  const call = submit("a", leaving.signal);
  await clock.advance(2_000);
  leaving.abort(gone());
  await clock.advance(5_000);
  expect(cancelled).toEqual([]);
  await clock.advance(10 * 60_000);
  expect(cancelled).toEqual(["batch-1"]);
  provider.state = { state: "partial", lines: 1, reason: "cancelled" };
  await clock.advance(60_000);
  expect(await call).toMatchObject({ kind: "cancelled", maybePaid: false });
});

test("a place that cannot be kept fails its call, and ends the batch that nobody waits for", async () => {
  const { clock, cancelled, submit } = laneOn();
  const call = submit("a", undefined, async () => {
    throw new Failure("jobs_unavailable", "the store is away");
  });
  await clock.advance(2_000);
  expect(await call).toMatchObject({ kind: "jobs_unavailable" });
  expect(cancelled).toEqual(["batch-1"]);
});

test("a place that was kept though that failed can be taken up, and left", async () => {
  const { clock, cancelled, submit, takeUp } = laneOn();
  const place = Promise.withResolvers<string>();
  void submit("a", undefined, async (where) => {
    place.resolve(where);
    throw new Failure("jobs_unavailable", "the store took too long");
  });
  await clock.advance(2_000);
  const leaving = new AbortController();
  const taken = takeUp(await place.promise, leaving.signal);
  leaving.abort(gone());
  await clock.advance(12 * 60_000);
  expect(await taken).toMatchObject({ kind: "cancelled", maybePaid: true });
  expect(cancelled).toEqual(["batch-1", "batch-1"]);
  expect(clock.pending).toBe(0);
});

test("a batch for which there is no room is turned away whole, for nothing", async () => {
  const { clock, provider, submit } = laneOn();
  const leaving = new AbortController();
  const [stays, leaves] = [submit("a"), submit("b", leaving.signal)];
  await clock.advance(6_500);
  provider.state = { state: "no_room", lines: undefined, reason: "failed: token_limit_exceeded" };
  leaving.abort(gone());
  await clock.advance(500);
  expect(await stays).toMatchObject({
    ...{ kind: "provider_rate_limited", noRoom: true, maybePaid: false },
    operator: "batch batch-1: failed: token_limit_exceeded",
  });
  expect(await leaves).toMatchObject({ kind: "cancelled", maybePaid: false });
  expect(clock.pending).toBe(0);
});

test("a line that a complete batch does not have may have been paid for", async () => {
  const { clock, provider, submit } = laneOn();
  const call = submit("a");
  provider.state = { state: "complete", lines: 1, reason: "completed" };
  await clock.advance(10_000);
  expect(await call).toMatchObject({ kind: "malformed_reply", maybePaid: true });
});

test("a line that cannot be read fails those behind it, and none before it", async () => {
  const { clock, provider, submit } = laneOn();
  const [before, behind] = [submit("a"), submit("b")];
  provider.state = { state: "partial", lines: 2, reason: "expired" };
  provider.results.push(reply("a"));
  provider.unreadable = new Failure("malformed_reply", "", { operator: "not JSON" });
  await clock.advance(10_000);
  expect(await before).toEqual(reply("a"));
  expect(await behind).toMatchObject({ kind: "malformed_reply", operator: "batch batch-1: not JSON" });
  expect(clock.pending).toBe(0);
});
