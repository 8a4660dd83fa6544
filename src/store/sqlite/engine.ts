/**
 * The durable store on SQLite: asks the thread that owns the database, and tells when that thread is no more. It
 * knows neither tables nor files.
 */
import type { LedgerStore } from "../../core/ledger.ts";
import type { PicoUsd } from "../../core/money.ts";
import { adjustmentsOn } from "../adjustments.ts";
import { rowsOf, textOf } from "../rows.ts";
import { usageOn } from "../usage.ts";
import {
  bookingBy,
  experimentsBy,
  idempotencyBy,
  jobsBy,
  knownBy,
  outboxBy,
  transcriptsBy,
} from "./ports.ts";
import type { Question } from "./protocol.ts";
import { readingBy } from "./reading.ts";
import { type Seat, Thread } from "./thread.ts";

/** The folder is made when it is not there. */
export interface SqliteOptions extends Seat {
  /** Told once when nothing can be kept any more until the process starts anew. */
  onDeath(reason: string): void;
}

/** @throws Error when another process uses the folder, or the database cannot be opened */
export async function openSqlite({ dataDir, instance, onDeath }: SqliteOptions) {
  const seat = { dataDir, instance };
  const thread = new Thread("worker", seat, (reason) =>
    onDeath(`the database is not written any more: ${reason}`),
  );
  await thread.opened;
  const ledger: LedgerStore = {
    async append(batch) {
      const rows = new TextEncoder().encode(textOf(rowsOf(batch, instance))).buffer;
      await thread.ask({ kind: "append", rows }, [rows]);
    },
    spent: async (filter, sinceMs) => (await thread.ask({ kind: "spent", filter, sinceMs })) as PicoUsd,
    closeOrphans: async (nowMs) => Number(await thread.ask({ kind: "closeOrphans", nowMs })),
    async rollUp(nowMs, keepSinceMs) {
      // Batches are written in between.
      while (await thread.ask({ kind: "rollUp", nowMs, keepSinceMs }));
    },
    keepCatalog: async (version, json, nowMs) =>
      (await thread.ask({ kind: "keepCatalog", version, json, nowMs })) === true,
  };
  const ask = (question: Question) => thread.ask(question);
  const reading = readingBy(seat);
  return {
    ledger,
    jobs: jobsBy(ask),
    outbox: outboxBy(ask),
    idempotency: idempotencyBy(ask),
    known: knownBy(ask),
    experiments: experimentsBy(ask),
    transcripts: transcriptsBy(ask),
    usage: usageOn(reading),
    adjustments: adjustmentsOn(reading, bookingBy(ask)),
    close: async () => {
      await reading.close();
      await thread.close();
    },
  };
}
