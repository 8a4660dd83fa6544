/**
 * The ledger's tables in SQLite: writes batches, sums and deletes. It blocks while the disk works, and knows neither
 * threads nor files.
 */
import { createHash } from "node:crypto";
import { hourOf } from "../../core/hours.ts";
import type { SpendFilter } from "../../core/ledger.ts";
import { ATTEMPT_SUMS, bookSums, CALL_SUMS, firstDayFrom, SPENT, type Summed } from "../hours.ts";
import {
  type BatchRows,
  CALL_COLUMNS,
  type Columns,
  INTENT_COLUMNS,
  SETTLEMENT_COLUMNS,
  storedFilter,
} from "../rows.ts";
import { CHUNK_ROWS, type Database, insert, SPLIT } from "./database.ts";

export class SqliteLedger {
  private readonly db: Database;
  private readonly instance: string;
  private readonly statements: ReturnType<typeof prepare>;

  constructor(db: Database, instance: string) {
    this.db = db;
    this.instance = instance;
    this.statements = prepare(db);
  }

  append({ intents, settlements, calls, durable }: BatchRows): void {
    const { intent, settlement, call } = this.statements;
    this.db.write(durable, () => {
      for (const row of intents) intent.run(...row);
      for (const row of settlements) {
        const [callId = null, number = null, ...rest] = row;
        if (settlement.run(...rest, callId, number, "open").changes === 0)
          this.settleLate(callId, number, rest);
      }
      for (const row of calls) call.run(...row);
    });
  }

  spent(filter: SpendFilter, sinceMs: number): bigint {
    const { tags, columns } = storedFilter(filter);
    const conditions = ["true"];
    const values: string[] = [];
    for (const [name, value] of Object.entries(columns)) {
      conditions.push(`${name} = ?`);
      values.push(value);
    }
    for (const [name, value] of Object.entries(tags)) {
      const [negated, same] = value === "" ? ["NOT", "<>"] : ["", "="];
      conditions.push(
        `${negated} EXISTS (SELECT 1 FROM json_each(tags) AS tag WHERE tag.key = ? AND tag.value ${same} ?)`,
      );
      values.push(name, value);
    }
    const where = conditions.join(" AND ");
    const statement = this.db.prepare(`
      SELECT coalesce(sum(amount / ${SPLIT}), 0) AS upper, coalesce(sum(amount % ${SPLIT}), 0) AS lower FROM (
        SELECT ${SPENT} AS amount FROM attempts WHERE rolled_up = 0 AND started_at_ms >= ? AND ${where}
        UNION ALL SELECT cost_pico_usd FROM spend_hours WHERE hour_ms >= ? AND hour_ms < ? AND ${where}
        UNION ALL SELECT unknown_pico_usd FROM spend_hours WHERE hour_ms >= ? AND hour_ms < ? AND ${where}
        UNION ALL SELECT cost_pico_usd FROM spend_days WHERE day_ms >= ? AND ${where}
        UNION ALL SELECT unknown_pico_usd FROM spend_days WHERE day_ms >= ? AND ${where})`);
    statement.setReadBigInts(true);
    const firstDayMs = firstDayFrom(sinceMs);
    const [all, hours, days] = [
      [sinceMs, ...values],
      [sinceMs, firstDayMs, ...values],
      [firstDayMs, ...values],
    ];
    const row = statement.get(...all, ...hours, ...hours, ...days, ...days);
    return BigInt(row?.upper as bigint) * SPLIT + BigInt(row?.lower as bigint);
  }

  closeOrphans(nowMs: number): number {
    return this.db.write(true, () => Number(this.statements.orphans.run(nowMs, this.instance).changes));
  }

  /** A part of the work. Returns whether there is more. */
  rollUp(nowMs: number, keepSinceMs: number): boolean {
    const { sumAttempts, flagAttempts, sumCalls, flagCalls, oldAttempts, oldCalls } = this.statements;
    const [now, keepSince] = [hourOf(nowMs), hourOf(keepSinceMs)];
    return this.db.write(true, () => {
      for (const sum of [...sumAttempts, ...sumCalls]) sum.run(now);
      const flagged = [flagAttempts.run(now), flagCalls.run(now)];
      const changes = [...flagged, oldAttempts.run(keepSince), oldCalls.run(keepSince)];
      return changes.some((result) => Number(result.changes) === CHUNK_ROWS);
    });
  }

  keepCatalog(version: string, json: string, nowMs: number): boolean {
    const sha256 = createHash("sha256").update(json).digest("hex");
    this.db.write(true, () => this.statements.catalog.run(version, sha256, json, nowMs));
    return this.statements.catalogSum.get(version)?.sha256 === sha256;
  }

  /** Booked before: by us, which stands, or as unknown, which gives way to what is known now. */
  private settleLate(callId: Value, number: Value, rest: readonly Value[]): void {
    const { settlement, takeOut, unflag } = this.statements;
    for (const sum of takeOut) sum.run(callId, number);
    unflag.run(callId, number);
    settlement.run(...rest, callId, number, "unknown");
  }
}

type Value = string | number | null;

function prepare(db: Database) {
  const one = "call_id = ? AND number = ?";
  const lateOne = `${one} AND state = 'unknown' AND rolled_up = 1`;
  const due = (table: string, condition = "true") => `rowid IN (
    SELECT rowid FROM ${table} WHERE rolled_up = 0 AND started_at_ms < ? AND ${condition}
    ORDER BY started_at_ms, rowid LIMIT ${CHUNK_ROWS})`;
  const [dueAttempts, dueCalls] = [due("attempts", "state <> 'open'"), due("calls")];
  const book = (sums: Summed, sign: "" | "-", source: string) =>
    [bookSums("hour", sums, sign, source, "tags"), bookSums("day", sums, sign, source, "tags")].map((sql) =>
      db.prepare(sql),
    );
  const old = (table: string, condition: string) => `
    DELETE FROM ${table} WHERE rowid IN (SELECT rowid FROM ${table} WHERE ${condition} LIMIT ${CHUNK_ROWS})`;
  const settled = Object.keys(SETTLEMENT_COLUMNS).slice(2);
  return {
    intent: db.prepare(insertOnce("attempts", INTENT_COLUMNS)),
    settlement: db.prepare(
      `UPDATE attempts SET ${settled.map(setter).join()}, state = 'settled' WHERE ${one} AND state = ?`,
    ),
    call: db.prepare(insertOnce("calls", CALL_COLUMNS)),
    takeOut: book(ATTEMPT_SUMS, "-", `attempts WHERE ${lateOne}`),
    unflag: db.prepare(`UPDATE attempts SET rolled_up = 0 WHERE ${lateOne}`),
    orphans: db.prepare(`
      UPDATE attempts SET state = 'unknown', outcome = 'unknown', settled_at_ms = ?
      WHERE rolled_up = 0 AND state = 'open' AND instance <> ?`),
    sumAttempts: book(ATTEMPT_SUMS, "", `attempts WHERE ${dueAttempts}`),
    flagAttempts: db.prepare(`UPDATE attempts SET rolled_up = 1 WHERE ${dueAttempts}`),
    sumCalls: book(CALL_SUMS, "", `calls WHERE ${dueCalls}`),
    flagCalls: db.prepare(`UPDATE calls SET rolled_up = 1 WHERE ${dueCalls}`),
    oldAttempts: db.prepare(old("attempts", "rolled_up = 1 AND started_at_ms < ?")),
    oldCalls: db.prepare(old("calls", "rolled_up = 1 AND started_at_ms < ?")),
    catalog: db.prepare("INSERT INTO price_catalogs VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"),
    catalogSum: db.prepare("SELECT sha256 FROM price_catalogs WHERE version = ?"),
  };
}

/** Nothing happens where it is there already. */
function insertOnce(table: string, columns: Columns): string {
  return `${insert(table, Object.keys(columns))} ON CONFLICT DO NOTHING`;
}

/** More may be held ready than the intent said, but never nothing. */
function setter(name: string): string {
  return name === "reserved_pico_usd" ? `${name} = coalesce(?, ${name})` : `${name} = ?`;
}
