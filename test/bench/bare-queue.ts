/** The least that a durable queue on SQLite can be: one table in a thread of its own, and a commit for each change. */
import { DatabaseSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";

/** Answered in their order. */
export type BareQuestion =
  | { readonly kind: "insert"; readonly id: string; readonly body: Uint8Array }
  | { readonly kind: "take"; readonly limit: number }
  | { readonly kind: "finish"; readonly id: string; readonly result: Uint8Array };

const db = new DatabaseSync(workerData.file);
db.exec(`
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  CREATE TABLE jobs (id TEXT PRIMARY KEY, state TEXT NOT NULL, body BLOB NOT NULL, result BLOB) STRICT;
  CREATE INDEX jobs_waiting ON jobs (id) WHERE state = 'pending';`);
const insert = db.prepare("INSERT INTO jobs VALUES (?, 'pending', ?, NULL)");
const take = db.prepare(`
  UPDATE jobs SET state = 'running' WHERE id IN (SELECT id FROM jobs WHERE state = 'pending' ORDER BY id LIMIT ?)
  RETURNING id, body`);
const finish = db.prepare("UPDATE jobs SET state = 'completed', result = ? WHERE id = ?");

parentPort?.on("message", (question: BareQuestion) => parentPort?.postMessage(answer(question)));

function answer(question: BareQuestion): unknown {
  switch (question.kind) {
    case "insert":
      return insert.run(question.id, question.body).changes;
    case "take":
      return take.all(question.limit);
    case "finish":
      return finish.run(question.result, question.id).changes;
  }
}
