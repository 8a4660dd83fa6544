/**
 * Jobs, webhooks, idempotency keys, known requests, experiments, bookings and what was said, as questions to the
 * thread that owns their tables. It knows neither tables nor the thread.
 */
import type { ExperimentStore } from "../../core/experiment-store.ts";
import type { IdempotencyStore } from "../../core/idempotency-store.ts";
import type { JobStore } from "../../core/job-store.ts";
import type { KnownStore } from "../../core/known-store.ts";
import type { Outbox } from "../../core/outbox.ts";
import type { TranscriptStore } from "../../core/transcript-store.ts";
import type { BookingRows } from "../adjustments.ts";
import { pageOf, positionOf } from "../page.ts";
import type { SqliteAdjustments } from "./adjustments.ts";
import { CHUNK_ROWS } from "./database.ts";
import type { SqliteExperiments } from "./experiments.ts";
import type { SqliteIdempotency } from "./idempotency.ts";
import type { SqliteJobs } from "./jobs.ts";
import type { SqliteKnown } from "./known.ts";
import type { SqliteOutbox } from "./outbox.ts";
import type { Question, Tables } from "./protocol.ts";
import type { SqliteTranscripts } from "./transcripts.ts";

type Ask = (question: Question) => Promise<unknown>;

export function jobsBy(ask: Ask): JobStore {
  const call = caller<SqliteJobs>(ask, "jobs");
  const [list, outcomes, expire, purge] = [call("list"), call("outcomes"), call("expire"), call("purge")];
  return {
    submit: call("submit"),
    submitted: call("submitted"),
    take: call("take"),
    renew: call("renew"),
    park: call("park"),
    retry: call("retry"),
    handBack: call("handBack"),
    finish: call("finish"),
    cancel: call("cancel"),
    async expire(nowMs) {
      let expired = 0;
      // Others are heard in between, as with the next.
      for (let some = CHUNK_ROWS; some === CHUNK_ROWS; expired += some) some = await expire(nowMs);
      return expired;
    },
    async purge(endedBeforeMs, forgetBeforeMs) {
      while (await purge(endedBeforeMs, forgetBeforeMs));
    },
    get: call("get"),
    result: call("result"),
    list: async (filter, owner, { size, after }) =>
      pageOf("jobs", await list(filter, owner, size, positionOf("jobs", after))),
    batch: call("batch"),
    outcomes: async (batchId, owner, { size, after }) =>
      pageOf("outcomes", await outcomes(batchId, owner, size, positionOf("outcomes", after))),
    counts: call("counts"),
  };
}

export function outboxBy(ask: Ask): Outbox {
  const call = caller<SqliteOutbox>(ask, "outbox");
  const list = call("list");
  return {
    take: call("take"),
    settle: call("settle"),
    redeliver: call("redeliver"),
    get: call("get"),
    deliveries: call("deliveries"),
    list: async (state, owner, { size, after }) =>
      pageOf("webhooks", await list(state, owner, size, positionOf("webhooks", after))),
    counts: call("counts"),
  };
}

export function idempotencyBy(ask: Ask): IdempotencyStore {
  const call = caller<SqliteIdempotency>(ask, "idempotency");
  const sweep = call("sweep");
  return {
    claim: call("claim"),
    finish: call("finish"),
    free: call("free"),
    async sweep(nowMs) {
      while (await sweep(nowMs));
    },
  };
}

export function knownBy(ask: Ask): KnownStore {
  const call = caller<SqliteKnown>(ask, "known");
  const sweep = call("sweep");
  return {
    keep: call("keep"),
    load: call("load"),
    clear: call("clear"),
    async sweep(nowMs, limit) {
      while (await sweep(nowMs, limit));
    },
  };
}

export function experimentsBy(ask: Ask): ExperimentStore {
  const call = caller<SqliteExperiments>(ask, "experiments");
  return {
    keep: call("keep"),
    load: call("load"),
    fold: call("fold"),
    sweep: call("sweep"),
    variantOf: call("variantOf"),
  };
}

export function bookingBy(ask: Ask): (booking: BookingRows) => Promise<boolean> {
  return caller<SqliteAdjustments>(ask, "adjustments")("book");
}

export function transcriptsBy(ask: Ask): TranscriptStore {
  const call = caller<SqliteTranscripts>(ask, "transcripts");
  const sweep = call("sweep");
  return {
    keep: call("keep"),
    get: call("get"),
    delete: call("delete"),
    async sweep(keepSinceMs, maxBytes) {
      while (await sweep(keepSinceMs, maxBytes));
    },
  };
}

type Remote<F> = F extends (...args: infer A) => infer R ? (...args: A) => Promise<R> : never;

function caller<T>(ask: Ask, kind: Tables) {
  return <M extends keyof T & string>(method: M) =>
    ((...args: readonly unknown[]) => ask({ kind, method, args })) as Remote<T[M]>;
}
