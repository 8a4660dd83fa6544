/** The thread that owns the SQLite database, so that the disk holds up no call. */
import { parentPort, workerData } from "node:worker_threads";
import { SqliteAdjustments } from "./adjustments.ts";
import { Database } from "./database.ts";
import { SqliteExperiments } from "./experiments.ts";
import { openFolder } from "./folder.ts";
import { SqliteIdempotency } from "./idempotency.ts";
import { SqliteJobs } from "./jobs.ts";
import { SqliteKnown } from "./known.ts";
import { SqliteLedger } from "./ledger.ts";
import { SqliteOutbox } from "./outbox.ts";
import type { Question } from "./protocol.ts";
import { serve } from "./serve.ts";
import { SqliteTranscripts } from "./transcripts.ts";

// Its failure is told as its error event.
const { dataDir, instance } = workerData;
const folder = openFolder(dataDir);
const database = new Database(folder.db);
const ledger = new SqliteLedger(database, instance);
const tables = {
  jobs: new SqliteJobs(database, instance),
  outbox: new SqliteOutbox(database),
  idempotency: new SqliteIdempotency(database, instance),
  known: new SqliteKnown(database),
  experiments: new SqliteExperiments(database),
  adjustments: new SqliteAdjustments(database),
  transcripts: new SqliteTranscripts(database),
};
serve(answer);

function answer(question: Question): unknown {
  switch (question.kind) {
    case "append":
      ledger.append(JSON.parse(Buffer.from(question.rows).toString()));
      return undefined;
    case "spent":
      return ledger.spent(question.filter, question.sinceMs);
    case "closeOrphans":
      return ledger.closeOrphans(question.nowMs);
    case "rollUp":
      return ledger.rollUp(question.nowMs, question.keepSinceMs);
    case "keepCatalog":
      return ledger.keepCatalog(question.version, question.json, question.nowMs);
    case "jobs":
    case "outbox":
    case "idempotency":
    case "known":
    case "experiments":
    case "adjustments":
    case "transcripts":
      return Reflect.get(tables[question.kind], question.method).apply(tables[question.kind], question.args);
    case "rows":
    case "lists":
      throw new Error("another thread reads");
    case "close":
      folder.close();
      parentPort?.close();
      return undefined;
  }
}
