/** The table of idempotency keys in SQLite. It blocks while the disk works, and knows nothing of threads. */
import type { Claimed, KeyEnd, KeyHolder, KeyName } from "../../core/idempotency-store.ts";
import { claimedOf, END_COLUMNS, endRow } from "../key-rows.ts";
import { CHUNK_ROWS, type Database } from "./database.ts";

export class SqliteIdempotency {
  private readonly db: Database;
  private readonly instance: string;
  private readonly statements: ReturnType<typeof prepare>;

  /** Calls that another process left are lost with it: there is but one. */
  constructor(db: Database, instance: string) {
    this.db = db;
    this.instance = instance;
    this.statements = prepare(db);
    this.statements.find.setReadBigInts(true);
  }

  claim(name: KeyName, holder: KeyHolder, nowMs: number, expiresAtMs: number): Claimed {
    const { tenant, principal, key } = name;
    const { fingerprint, callId, requestId } = holder;
    const { find, take } = this.statements;
    return this.db.write(true, () => {
      const row = find.get(tenant, principal, key);
      const underWay = row?.ended_at_ms === null && row.holder === this.instance;
      if (row && (underWay || Number(row.expires_at_ms) > nowMs))
        return claimedOf(row, underWay ? "here" : "lost");
      take.run(tenant, principal, key, fingerprint, callId, requestId, this.instance, expiresAtMs);
      return { state: "taken" };
    });
  }

  finish({ tenant, principal, key }: KeyName, callId: string, end: KeyEnd, expiresAtMs: number): void {
    this.db.write(true, () =>
      this.statements.finish.run(...endRow(end), expiresAtMs, tenant, principal, key, callId),
    );
  }

  free({ tenant, principal, key }: KeyName, callId: string): void {
    this.db.write(true, () => this.statements.free.run(tenant, principal, key, callId));
  }

  /** A part of the work. Returns whether there is more. */
  sweep(nowMs: number): boolean {
    return this.db.write(
      true,
      () => Number(this.statements.sweep.run(nowMs, this.instance).changes) === CHUNK_ROWS,
    );
  }
}

function prepare(db: Database) {
  const named = "tenant = ? AND principal = ? AND idempotency_key = ?";
  return {
    find: db.prepare(`SELECT * FROM idempotency_keys WHERE ${named}`),
    take: db.prepare(`
      INSERT OR REPLACE INTO idempotency_keys
        (tenant, principal, idempotency_key, fingerprint, call_id, request_id, holder, expires_at_ms)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?)`),
    finish: db.prepare(`
      UPDATE idempotency_keys SET ${END_COLUMNS.map((column) => `${column} = ?`).join()}, expires_at_ms = ?
      WHERE ${named} AND call_id = ?`),
    free: db.prepare(`DELETE FROM idempotency_keys WHERE ${named} AND call_id = ?`),
    sweep: db.prepare(`
      DELETE FROM idempotency_keys WHERE rowid IN (
        SELECT rowid FROM idempotency_keys
        WHERE expires_at_ms <= ? AND (ended_at_ms IS NOT NULL OR holder <> ?) LIMIT ${CHUNK_ROWS})`),
  };
}
