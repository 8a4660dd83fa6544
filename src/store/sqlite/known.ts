/** The table of known requests in SQLite. It blocks while the disk works, and knows nothing of threads. */
import type { KnownRow, WhichKnown } from "../../core/known-store.ts";
import { KNOWN_COLUMNS, knownOf, knownRow, whichRow } from "../known-rows.ts";
import { CHUNK_ROWS, type Database } from "./database.ts";

export class SqliteKnown {
  private readonly db: Database;
  private readonly statements: ReturnType<typeof prepare>;

  constructor(db: Database) {
    this.db = db;
    this.statements = prepare(db);
    this.statements.load.setReadBigInts(true);
  }

  /** It need not outlast the system: it is asked for again. */
  keep(row: KnownRow): void {
    this.db.write(false, () => this.statements.keep.run(...knownRow(row)));
  }

  load(nowMs: number, limit: number): KnownRow[] {
    return this.statements.load.all(nowMs, limit).map(knownOf).reverse();
  }

  clear(which: WhichKnown): void {
    const [tenant = null, family = null, key = null, value = null] = whichRow(which);
    this.db.write(true, () =>
      this.statements.clear.run(tenant, tenant, family, family, family, key, key, value),
    );
  }

  /** A part of the work. Returns whether there is more. */
  sweep(nowMs: number, limit: number): boolean {
    return this.db.write(
      false,
      () =>
        Number(this.statements.expire.run(nowMs).changes) === CHUNK_ROWS ||
        Number(this.statements.cut.run(limit).changes) === CHUNK_ROWS,
    );
  }
}

function prepare(db: Database) {
  const newest = "ORDER BY stored_at_ms DESC, key";
  return {
    keep: db.prepare(`
      INSERT OR REPLACE INTO known_requests (${KNOWN_COLUMNS.join()})
      VALUES (${KNOWN_COLUMNS.map(() => "?").join()})`),
    load: db.prepare(`SELECT * FROM known_requests WHERE expires_at_ms > ? ${newest} LIMIT ?`),
    clear: db.prepare(`
      DELETE FROM known_requests
      WHERE (? IS NULL OR tenant = ?) AND (? IS NULL OR family = ? OR provider || '/' || model = ?)
        AND (? IS NULL OR EXISTS (SELECT 1 FROM json_each(tags) AS tag WHERE tag.key = ? AND tag.value = ?))`),
    expire: db.prepare(`
      DELETE FROM known_requests WHERE rowid IN (
        SELECT rowid FROM known_requests WHERE expires_at_ms <= ? LIMIT ${CHUNK_ROWS})`),
    cut: db.prepare(`
      DELETE FROM known_requests WHERE rowid IN (
        SELECT rowid FROM known_requests ${newest} LIMIT ${CHUNK_ROWS} OFFSET ?)`),
  };
}
