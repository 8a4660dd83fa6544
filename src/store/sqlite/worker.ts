/** The thread that owns the SQLite database, so that the disk holds up no call. It answers one question at a time. */
import { parentPort, workerData } from "node:worker_threads";
import { Database } from "./database.ts";
import type { Answer, Question } from "./protocol.ts";

// Its failure is told as its error event.
const database = new Database(workerData);
parentPort?.on("message", (question: Question) => parentPort?.postMessage(told(question)));
parentPort?.postMessage({ value: undefined } satisfies Answer);

function told(question: Question): Answer {
  try {
    return { value: answer(question) };
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

function answer(question: Question): bigint | number | boolean | undefined {
  switch (question.kind) {
    case "append":
      database.append(JSON.parse(Buffer.from(question.rows).toString()));
      return undefined;
    case "spent":
      return database.spent(question.filter, question.sinceMs);
    case "closeOrphans":
      return database.closeOrphans(question.nowMs);
    case "rollUp":
      return database.rollUp(question.nowMs, question.keepSinceMs);
    case "keepCatalog":
      return database.keepCatalog(question.version, question.json, question.nowMs);
    case "close":
      database.close();
      parentPort?.close();
      return undefined;
  }
}
