/** The thread that reads the SQLite database beside the one that writes it. */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";
import type { Question } from "./protocol.ts";
import { serve } from "./serve.ts";

// Its failure is told as its error event.
const db = new DatabaseSync(join(workerData.dataDir, "llmgateway.db"), { readOnly: true });
serve(answer);

function answer(question: Question): unknown {
  switch (question.kind) {
    case "rows":
    case "lists": {
      const statement = db.prepare(question.text);
      statement.setReturnArrays(question.kind === "lists");
      return statement.all(named(question.values));
    }
    case "close":
      db.close();
      parentPort?.close();
      return undefined;
    default:
      throw new Error("it only reads");
  }
}

function named(values: readonly (string | number)[]): Record<string, string | number> {
  return Object.fromEntries(values.map((value, index) => [`$${index + 1}`, value]));
}
