/** The table of what was said in calls, in SQLite. It blocks while the disk works, and knows nothing of threads. */
import type { TranscriptRow } from "../../core/transcript-store.ts";
import { storable } from "../rows.ts";
import { CHUNK_ROWS, type Database } from "./database.ts";

export class SqliteTranscripts {
  private readonly db: Database;
  private readonly statements: ReturnType<typeof prepare>;

  constructor(db: Database) {
    this.db = db;
    this.statements = prepare(db);
  }

  keep(rows: readonly TranscriptRow[]): void {
    this.db.write(false, () => {
      for (const { callId, requestId, tenant, principal, storedAtMs, text } of rows)
        this.statements.keep.run(
          callId,
          storable(requestId),
          tenant,
          principal,
          storedAtMs,
          text.length,
          text,
        );
    });
  }

  get(id: string): Uint8Array | undefined {
    const { byCall, byRequest } = this.statements;
    const given = storable(id);
    return (byCall.get(given) ?? byRequest.get(given))?.text as Uint8Array | undefined;
  }

  delete(id: string | undefined): number {
    const { ofOne, ofAll } = this.statements;
    const deleted = this.db.overwriting(() =>
      this.db.write(true, () =>
        Number((id === undefined ? ofAll.run() : ofOne.run(storable(id), storable(id))).changes),
      ),
    );
    if (deleted > 0) this.db.forgetLog();
    return deleted;
  }

  /** A part of the work. Returns whether there is more. */
  sweep(keepSinceMs: number, maxBytes: number): boolean {
    const { total, old, excess } = this.statements;
    return this.db.overwriting(() =>
      this.db.write(false, () => {
        if (Number(old.run(keepSinceMs).changes) === CHUNK_ROWS) return true;
        const over = Number(total.get()?.bytes) - maxBytes;
        return over > 0 && Number(excess.run(over).changes) === CHUNK_ROWS;
      }),
    );
  }
}

function prepare(db: Database) {
  const oldest = `ORDER BY stored_at_ms, call_id LIMIT ${CHUNK_ROWS}`;
  return {
    keep: db.prepare(`
      INSERT OR REPLACE INTO request_texts (call_id, request_id, tenant, principal, stored_at_ms, bytes, text)
      VALUES (?, ?, ?, ?, ?, ?, ?)`),
    byCall: db.prepare("SELECT text FROM request_texts WHERE call_id = ?"),
    byRequest: db.prepare(
      "SELECT text FROM request_texts WHERE request_id = ? ORDER BY stored_at_ms DESC, call_id DESC LIMIT 1",
    ),
    ofOne: db.prepare("DELETE FROM request_texts WHERE call_id = ? OR request_id = ?"),
    ofAll: db.prepare("DELETE FROM request_texts"),
    total: db.prepare("SELECT coalesce(sum(bytes), 0) AS bytes FROM request_texts"),
    old: db.prepare(`
      DELETE FROM request_texts WHERE rowid IN (
        SELECT rowid FROM request_texts WHERE stored_at_ms < ? LIMIT ${CHUNK_ROWS})`),
    // As many of the oldest as it takes.
    excess: db.prepare(`
      DELETE FROM request_texts WHERE call_id IN (
        SELECT call_id FROM (
          SELECT call_id, sum(bytes) OVER (ORDER BY stored_at_ms, call_id) - bytes AS older
          FROM (SELECT call_id, stored_at_ms, bytes FROM request_texts ${oldest}))
        WHERE older < ?)`),
  };
}
