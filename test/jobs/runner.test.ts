/** The runner in virtual time, on a store in memory that a test can take away. */
import { fromBinary } from "@bufbuild/protobuf";
import { afterEach, describe, expect, test } from "vitest";
import { ChatResponseSchema } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { Service } from "../../src/core/call.ts";
import { Failure } from "../../src/core/failure.ts";
import { LEASE_MS, RENEW_MS } from "../../src/core/job-store.ts";
import type { Batch } from "../../src/core/reply.ts";
import type { EndedRun } from "../../src/jobs/held.ts";
import { createRunner, type Runner, type RunnerOptions } from "../../src/jobs/runner.ts";
import { attemptOf, replyOf, spoken } from "../support/call.ts";
import { settled, VirtualClock } from "../support/clock.ts";
import { MemoryJobs } from "../support/memory-jobs.ts";

const clock = new VirtualClock(1_800_000_000_000);
const stopping = () => new Failure("shutting_down", "the gateway is being stopped");

let runner: Runner | undefined;
afterEach(async () => {
  const closed = runner?.close(0, stopping);
  await clock.advance(60_000);
  await closed;
  runner = undefined;
});

interface Setting {
  readonly maxConcurrent?: number;
  readonly maxRuns?: number;
  readonly service?: Service;
}

/** A runner on these jobs, its store, and what it told. */
function start(store: MemoryJobs, setting: Setting = {}) {
  const { maxConcurrent = 2, maxRuns = 3, service = answered } = setting;
  const ended: EndedRun[] = [];
  const errors: unknown[] = [];
  const options: RunnerOptions = {
    store,
    service: () => service,
    limits: () => ({ maxConcurrent, maxRuns }),
    clock,
    random: () => 0,
    onChanged: () => {},
    onRun: (run) => ended.push(run),
    onError: (error) => errors.push(error),
  };
  runner = createRunner(options);
  return { runner, ended, errors };
}

const answered: Service = async () => replyOf(spoken(["Hello", " there"]));

/** Runs that go on until a test ends them. */
function held() {
  const runs: { readonly end: (error?: Error) => void; readonly signal: AbortSignal }[] = [];
  let most = 0;
  let running = 0;
  const service: Service = (call) =>
    new Promise((resolve, reject) => {
      most = Math.max(most, ++running);
      const { signal } = call;
      const end = (error?: Error) => {
        running--;
        if (error) reject(error);
        else resolve(replyOf(spoken(["Hello"])));
      };
      const abort = () => end(signal.reason);
      if (signal.aborted) abort();
      else signal.addEventListener("abort", abort, { once: true });
      runs.push({ end, signal });
    });
  return {
    runs,
    service,
    get most() {
      return most;
    },
  };
}

describe("taking", () => {
  test("runs so many at a time, and the next as soon as one has ended", async () => {
    const store = new MemoryJobs(clock, 5);
    const seen = held();
    const { runs } = seen;
    start(store, seen);
    await clock.advance(10);
    expect(runs).toHaveLength(2);
    await clock.advance(5_000);
    expect(runs).toHaveLength(2);
    runs[0]?.end();
    await clock.advance(10);
    expect(runs).toHaveLength(3);
    for (let run = 1; run < 5; run++) {
      runs[run]?.end();
      await clock.advance(10);
    }
    expect(store.states()).toEqual(Array(5).fill("completed"));
    expect(seen.most).toBe(2);
  });

  test("is not put off by those who submit without a pause", async () => {
    const store = new MemoryJobs(clock, 0);
    const started = start(store, { maxConcurrent: 100 });
    await clock.advance(100);
    for (let ms = 0; ms < 200; ms++) {
      store.add();
      started.runner.wake();
      await clock.advance(1);
    }
    expect(store.states().filter((state) => state === "completed").length).toBeGreaterThan(150);
  });

  test("finds by itself what others submitted", async () => {
    const store = new MemoryJobs(clock, 0);
    start(store);
    await clock.advance(1_000);
    store.add();
    await clock.advance(600);
    expect(store.states()).toEqual(["completed"]);
  });

  test("gives no slot to those that only wait for their provider's batch", async () => {
    const store = new MemoryJobs(clock, 0);
    for (let job = 0; job < 5; job++) store.add({}, "batch");
    store.add();
    const { runs, service } = held();
    start(store, { maxConcurrent: 1, service });
    await clock.advance(100);
    expect(runs).toHaveLength(6);
    store.add();
    await clock.advance(1_000);
    expect(runs).toHaveLength(6);
  });
});

test("more that wait for their provider's batch than may give way to what does not", async () => {
  const store = new MemoryJobs(clock, 0);
  for (let job = 0; job < 5_002; job++) store.add({}, "batch");
  store.add();
  const { runs, service } = held();
  start(store, { maxConcurrent: 2, service });
  await clock.advance(15_000);
  expect(runs).toHaveLength(5_001);
  expect(store.states().slice(-3)).toEqual(["pending", "pending", "running"]);
  expect(store.job(5_000)).toMatchObject({ runs: 0, failure: undefined });
  for (const { end } of runs.slice(0, 2)) end();
  await clock.advance(600_000);
  expect(store.states().slice(-3)).toEqual(["running", "running", "running"]);
});

describe("a run", () => {
  test("that fails for now is made again, as often as is allowed, and costs what all of them did", async () => {
    const store = new MemoryJobs(clock, 1);
    const service: Service = async (call) => {
      call.tally.attempts.push(attemptOf({ actualPicoUsd: 7n }));
      throw new Failure("provider_error", "it failed");
    };
    const { ended } = start(store, { service });
    await clock.advance(10);
    expect(store.job()).toMatchObject({ state: "pending", runs: 1, costPicoUsd: 7n });
    expect(store.job().failure).toEqual({ kind: "provider_error", message: "it failed", retryable: true });
    await clock.advance(10_000);
    expect(store.job()).toMatchObject({ state: "failed", runs: 3, costPicoUsd: 21n });
    expect(store.job().failure).toMatchObject({ retryable: false });
    expect(ended.map(({ end }) => end)).toEqual([undefined, undefined, "failed"]);
  });

  test("of unknown cost makes the job's unknown, and no later run makes it known", async () => {
    const store = new MemoryJobs(clock, 1);
    let run = 0;
    const service: Service = async (call) => {
      call.tally.attempts.push(run++ ? attemptOf({ actualPicoUsd: 7n }) : attemptOf());
      if (run === 1) throw new Failure("cut", "it broke off");
      return answered(call);
    };
    start(store, { service });
    await clock.advance(10_000);
    expect(store.job()).toMatchObject({ state: "completed", runs: 2, costPicoUsd: undefined });
  });

  test("keeps what a run cost that the gateway then refused to go on with", async () => {
    const store = new MemoryJobs(clock, 1);
    let number = 0;
    const service: Service = async (call) => {
      // As when the first target broke off, and the circuit of the next was open.
      call.tally.attempts.push(attemptOf({ actualPicoUsd: number === 0 ? 9n : 5n }));
      if (number++ === 0) throw new Failure("circuit_open", "nothing is sent there");
      return replyOf(spoken(["Hello"]));
    };
    start(store, { service });
    await clock.advance(10);
    expect(store.job()).toMatchObject({ state: "pending", runs: 0, costPicoUsd: 9n });
    await clock.advance(10_000);
    expect(store.job()).toMatchObject({ state: "completed", runs: 1, costPicoUsd: 14n });
  });

  test.each(["rate_limited", "budget_unavailable"] as const)(
    "that the gateway itself refuses, as with %s, counts for nothing",
    async (kind) => {
      const store = new MemoryJobs(clock, 1);
      let left = 20;
      const service: Service = async (call) => {
        if (left-- > 0) throw new Failure(kind, "not now");
        return answered(call);
      };
      start(store, { service });
      await clock.advance(19_000);
      expect(store.job()).toMatchObject({ state: "pending", runs: 0, failure: undefined });
      await clock.advance(120_000);
      expect(store.job()).toMatchObject({ state: "completed", runs: 1, costPicoUsd: 0n });
    },
  );

  test("that is cancelled ends within seconds, and says so", async () => {
    const store = new MemoryJobs(clock, 1);
    const { service } = held();
    start(store, { service });
    await clock.advance(10);
    store.cancel();
    await clock.advance(RENEW_MS);
    expect(store.job()).toMatchObject({ state: "cancelled", failure: undefined });
  });

  test("of a job that was to be cancelled when it was taken asks no provider", async () => {
    const store = new MemoryJobs(clock, 0);
    store.add({ cancelRequested: true });
    const { runs, service } = held();
    start(store, { service });
    await clock.advance(10);
    expect(runs).toEqual([]);
    expect(store.job()).toMatchObject({ state: "cancelled", costPicoUsd: 0n });
  });

  test("of a job that took ten processes with it is not made", async () => {
    const store = new MemoryJobs(clock, 0);
    store.add({ lostRuns: 10 });
    store.add({ lostRuns: 9 });
    const { runs, service } = held();
    start(store, { service });
    await clock.advance(10);
    expect(runs).toHaveLength(1);
    expect(store.job(0)).toMatchObject({ state: "failed", failure: { kind: "job_lost" } });
  });
});

describe("a process that slept, or whose time of day was set forward,", () => {
  test("does not make its own runs anew", async () => {
    const store = new MemoryJobs(clock, 2);
    const { runs, service } = held();
    start(store, { service, maxConcurrent: 3 });
    await clock.advance(10);
    clock.step(LEASE_MS);
    await clock.advance(RENEW_MS);
    expect(runs).toHaveLength(2);
    for (const { end } of runs) end();
    await clock.advance(10);
    expect(store.job()).toMatchObject({ state: "completed", runs: 1, costPicoUsd: 0n });
  });

  test("breaks off what it has taken anew all the same, and holds the new run", async () => {
    const store = new MemoryJobs(clock, 1);
    const { runs, service } = held();
    const { runner } = start(store, { service });
    await clock.advance(10);
    store.lapse();
    await clock.advance(RENEW_MS / 2);
    expect(runs.map(({ signal }) => signal.aborted)).toEqual([true, false]);
    expect(runner.running).toBe(1);
    await clock.advance(2 * LEASE_MS);
    runs[1]?.end();
    await clock.advance(10);
    expect(store.job()).toMatchObject({ state: "completed", runs: 2 });
  });
});

describe("while the store is away", () => {
  test("what a run came to is not lost, and it is told once", async () => {
    const store = new MemoryJobs(clock, 1);
    const { runs, service } = held();
    const { ended, errors } = start(store, { service });
    await clock.advance(10);
    store.away = true;
    runs[0]?.end();
    await clock.advance(LEASE_MS - 3_000);
    expect(store.job()).toMatchObject({ state: "running" });
    expect(errors.length).toBeGreaterThan(3);
    store.away = false;
    await clock.advance(1_000);
    expect(store.job()).toMatchObject({ state: "completed" });
    expect(fromBinary(ChatResponseSchema, store.result ?? new Uint8Array()).response).toBe("Hello");
    expect(ended).toHaveLength(1);
  });

  test("jobs are looked for again and again", async () => {
    const store = new MemoryJobs(clock, 1);
    store.away = true;
    start(store);
    await clock.advance(5_000);
    store.away = false;
    await clock.advance(1_000);
    expect(store.states()).toEqual(["completed"]);
  });

  test("for so long that another may have the run, it is broken off, and nothing of it is kept", async () => {
    const store = new MemoryJobs(clock, 1);
    const { runs, service } = held();
    const { ended } = start(store, { service });
    await clock.advance(10);
    store.away = true;
    await clock.advance(LEASE_MS - 1_000);
    expect(runs[0]?.signal.aborted).toBe(false);
    await clock.advance(RENEW_MS + 1_000);
    expect(runs[0]?.signal.aborted).toBe(true);
    store.away = false;
    await clock.advance(1_000);
    expect(store.asked).not.toContain("finish");
    expect(ended).toEqual([]);
  });
});

test("a run that another process has is broken off, and nothing of it is kept", async () => {
  const store = new MemoryJobs(clock, 1);
  const { runs, service } = held();
  const { ended, runner } = start(store, { service });
  await clock.advance(10);
  store.lose();
  await clock.advance(RENEW_MS);
  expect(runs[0]?.signal.aborted).toBe(true);
  expect(store.asked).not.toContain("finish");
  expect(ended).toEqual([]);
  expect(runner.running).toBe(0);
});

test("a run that another process has waits no longer for its provider's batch, and leaves it alone", async () => {
  const store = new MemoryJobs(clock, 0);
  store.add({}, "batch");
  const { runs, service } = held();
  start(store, { service });
  await clock.advance(10);
  store.lose();
  await clock.advance(RENEW_MS);
  // By which the lane knows that the batch goes on.
  expect(runs[0]?.signal.reason).toMatchObject({ kind: "shutting_down" });
});

test("what a run has said reaches the store, and reaches it again where that was away", async () => {
  const store = new MemoryJobs(clock, 1);
  let say: (() => void) | undefined;
  async function* events(): AsyncGenerator<Batch> {
    yield spoken(["Once"])[0] ?? [];
    await new Promise<void>((resolve) => {
      say = resolve;
    });
    yield* spoken([" upon"]);
  }
  start(store, { service: async () => ({ events: events() }) });
  await clock.advance(10);
  store.away = true;
  await clock.advance(RENEW_MS);
  expect(store.job().partial).toBe("");
  store.away = false;
  await clock.advance(RENEW_MS);
  expect(store.job().partial).toBe("Once");
  say?.();
  await clock.advance(10);
  expect(store.job()).toMatchObject({ state: "completed" });
});

test("what a provider has no room for is sent anew, later and later, and is no run however often that happens", async () => {
  const store = new MemoryJobs(clock, 0);
  store.add({ createdAtMs: clock.now() }, "batch");
  const sent: number[] = [];
  const service: Service = async (call) => {
    if (call.parking?.parked !== undefined) throw new Error("it is taken up, though nothing came of it");
    await call.parking?.park({ where: `batch_${sent.push(clock.now())}` });
    if (sent.length < 12)
      throw new Failure("provider_rate_limited", "the provider holds as much as it may", { noRoom: true });
    return replyOf(spoken(["Hello"]));
  };
  start(store, { service, maxRuns: 3 });
  await clock.advance(1_000);
  expect(store.job()).toMatchObject({
    state: "pending",
    runs: 0,
    failure: { kind: "provider_rate_limited" },
  });
  await clock.advance(5 * 3_600_000);
  expect(store.job()).toMatchObject({ state: "completed", runs: 1 });
  const waits = sent.slice(1).map((atMs, index) => Math.floor((atMs - (sent[index] ?? 0)) / 60_000));
  expect(waits).toEqual([2, 2, 2, 3, 4, 6, 10, 15, 22, 30, 30]);
});

test("a place that cannot be kept before the run is another's is none, so that nobody relies on it", async () => {
  const store = new MemoryJobs(clock, 0);
  store.add({}, "batch");
  const parked: unknown[] = [];
  const service: Service = async (call) => {
    store.away = true;
    await call.parking?.park({ where: "batch_1" }).then(
      () => parked.push("kept"),
      (error: unknown) => parked.push(error),
    );
    throw call.signal.reason;
  };
  start(store, { service });
  await clock.advance(2 * LEASE_MS);
  expect(parked).toMatchObject([{ kind: "cancelled", maybePaid: true }]);
  store.away = false;
});

describe("closing", () => {
  test("lets runs end within the time, and takes no others", async () => {
    const store = new MemoryJobs(clock, 3);
    const { runs, service } = held();
    const { runner } = start(store, { service });
    await clock.advance(10);
    const closed = runner.close(10_000, stopping);
    runs[0]?.end();
    await clock.advance(5_000);
    runs[1]?.end();
    await settled();
    await closed;
    expect(store.states()).toEqual(["completed", "completed", "pending"]);
  });

  test("hands back what has not ended: as never run where it cost nothing, else as a run", async () => {
    const store = new MemoryJobs(clock, 2);
    const { service: wait } = held();
    let number = 0;
    const service: Service = (call) => {
      call.tally.attempts.push(attemptOf({ actualPicoUsd: number++ === 0 ? 0n : 9n }));
      return wait(call);
    };
    const { runner } = start(store, { service });
    await clock.advance(10);
    const closed = runner.close(3_000, stopping);
    await clock.advance(2_990);
    expect(store.states()).toEqual(["running", "running"]);
    await clock.advance(10);
    await closed;
    expect(store.job(0)).toMatchObject({ state: "pending", runs: 0, costPicoUsd: 0n });
    expect(store.job(1)).toMatchObject({ state: "pending", runs: 1, costPicoUsd: 9n });
    expect(store.job(1).failure).toMatchObject({ kind: "shutting_down", retryable: true });
  });

  test("hands back at once what is parked, with where it is and what came before it cost", async () => {
    const store = new MemoryJobs(clock, 0);
    store.add({}, "batch");
    const { service: wait } = held();
    const service: Service = async (call) => {
      call.tally.attempts.push(attemptOf({ outcome: "failed", actualPicoUsd: 9n }), attemptOf({ number: 2 }));
      await call.parking?.park({ where: "batch_1" });
      return wait(call).catch(() => {
        throw new Failure("shutting_down", "it goes on", { suspended: true });
      });
    };
    const { runner } = start(store, { service });
    await clock.advance(10);
    expect(JSON.parse(store.parked(0))).toMatchObject({ where: "batch_1" });
    await runner.close(3_600_000, stopping);
    expect(store.job()).toMatchObject({ state: "pending", runs: 0, costPicoUsd: 9n });
    expect(store.asked).not.toContain("retry");
  });
});
