/** How experiments stand, in SQLite. It blocks while the disk works, and knows nothing of threads. */
import type { KeptTrial, KeptVariant } from "../../core/experiment-store.ts";
import { storable } from "../rows.ts";
import type { Database } from "./database.ts";

export class SqliteExperiments {
  private readonly db: Database;
  private readonly statements: ReturnType<typeof prepare>;

  constructor(db: Database) {
    this.db = db;
    this.statements = prepare(db);
  }

  keep({ name, fingerprint, instance, updatedAtMs, body }: KeptTrial): void {
    this.db.write(true, () => this.statements.keep.run(name, fingerprint, instance, updatedAtMs, body));
  }

  load(): KeptTrial[] {
    return this.statements.load.all().map((row) => ({
      name: String(row.name),
      fingerprint: String(row.fingerprint),
      instance: String(row.instance),
      updatedAtMs: Number(row.updated_at_ms),
      body: String(row.body),
    }));
  }

  fold(instance: string, sum: KeptTrial, before: string | undefined): boolean {
    const { name, fingerprint, instance: place, updatedAtMs, body } = sum;
    const { keepFirst, keepNext, forget } = this.statements;
    return this.db.write(true, () => {
      const { changes } =
        before === undefined
          ? keepFirst.run(name, fingerprint, place, updatedAtMs, body)
          : keepNext.run(updatedAtMs, body, name, fingerprint, place, before);
      if (Number(changes) !== 1) return false;
      forget.run(name, fingerprint, instance);
      return true;
    });
  }

  sweep(beforeMs: number): void {
    this.db.write(false, () => this.statements.sweep.run(beforeMs));
  }

  variantOf(tenant: string, requestId: string): KeptVariant | undefined {
    const row = this.statements.variantOf.get(storable(requestId), tenant);
    const { variant, variant_group: group = null } = row ?? {};
    return row && { name: String(variant), group: group === null ? undefined : Number(group) };
  }
}

function prepare(db: Database) {
  return {
    keep: db.prepare(`
      INSERT INTO experiments (name, fingerprint, instance, updated_at_ms, body) VALUES (?, ?, ?, ?, ?)
      ON CONFLICT DO UPDATE SET updated_at_ms = excluded.updated_at_ms, body = excluded.body
      WHERE excluded.updated_at_ms >= updated_at_ms`),
    keepFirst: db.prepare(`
      INSERT INTO experiments (name, fingerprint, instance, updated_at_ms, body) VALUES (?, ?, ?, ?, ?)
      ON CONFLICT DO NOTHING`),
    keepNext: db.prepare(`
      UPDATE experiments SET updated_at_ms = ?, body = ?
      WHERE name = ? AND fingerprint = ? AND instance = ? AND body = ?`),
    forget: db.prepare("DELETE FROM experiments WHERE name = ? AND fingerprint = ? AND instance = ?"),
    load: db.prepare("SELECT * FROM experiments"),
    sweep: db.prepare("DELETE FROM experiments WHERE updated_at_ms < ? AND instance <> ''"),
    variantOf: db.prepare(`
      SELECT variant, variant_group FROM calls
      WHERE request_id = ? AND tenant = ? AND variant <> '' AND method <> 'Shadow' AND outcome = 'ok'
      ORDER BY started_at_ms DESC LIMIT 1`),
  };
}
