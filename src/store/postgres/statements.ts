/** What is said to PostgreSQL: each statement takes all of its rows as one JSON text. It knows no connection. */
import type { SpendFilter } from "../../core/ledger.ts";
import { ATTEMPT_SUMS, bookSums, CALL_SUMS, firstDayFrom, SPENT } from "../hours.ts";
import { CALL_COLUMNS, type Columns, INTENT_COLUMNS, SETTLEMENT_COLUMNS, storedFilter } from "../rows.ts";

/** So few at once that others are not held up. */
export const CHUNK_ROWS = 5_000;

export const INSERT_INTENTS = insert("attempts", INTENT_COLUMNS);
export const INSERT_CALLS = insert("calls", CALL_COLUMNS);

/** Of rows that are open. */
export const SETTLE = settle("state = 'open'");
/** Of rows that were booked as unknown while their gateway lived. They must be in no sum. */
export const SETTLE_UNKNOWN = settle("state = 'unknown'");

const UNKNOWN_ONES = `
  SELECT a.call_id, a.number FROM attempts AS a, jsonb_array_elements($1::jsonb) AS r
  WHERE a.call_id = r->>0 AND a.number = (r->>1)::integer AND a.state = 'unknown'`;
/** Before anything is done to them, so that no sum of their hour comes in between. */
export const LOCK_UNKNOWN = `${UNKNOWN_ONES} ORDER BY a.call_id, a.number FOR UPDATE OF a`;
/** Takes them out of the sums. */
export const TAKE_OUT = flagAndBook("attempts", "-", false, `${UNKNOWN_ONES} AND a.rolled_up`);

export const ROLL_UP = flagAndBook(
  "attempts",
  "",
  true,
  `SELECT call_id, number FROM attempts
   WHERE NOT rolled_up AND started_at_ms < $1 AND state <> 'open'
   ORDER BY started_at_ms LIMIT ${CHUNK_ROWS} FOR UPDATE`,
);

export const ROLL_UP_CALLS = flagAndBook(
  "calls",
  "",
  true,
  `SELECT call_id FROM calls WHERE NOT rolled_up AND started_at_ms < $1
   ORDER BY started_at_ms LIMIT ${CHUNK_ROWS} FOR UPDATE`,
);

export const DELETE_ATTEMPTS = `
  DELETE FROM attempts WHERE (call_id, number) IN (
    SELECT call_id, number FROM attempts WHERE rolled_up AND started_at_ms < $1 LIMIT ${CHUNK_ROWS})`;
export const DELETE_CALLS = `
  DELETE FROM calls WHERE call_id IN (
    SELECT call_id FROM calls WHERE rolled_up AND started_at_ms < $1 LIMIT ${CHUNK_ROWS})`;

export const OPEN_INSTANCES =
  "SELECT DISTINCT instance FROM attempts WHERE state = 'open' AND instance <> $1";
export const CLOSE_ORPHANS = `
  UPDATE attempts SET state = 'unknown', outcome = 'unknown', settled_at_ms = $1
  WHERE state = 'open' AND instance = $2`;

export const KEEP_CATALOG = "INSERT INTO price_catalogs VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
export const CATALOG_SUM = "SELECT sha256 FROM price_catalogs WHERE version = $1";

export function spentQuery(filter: SpendFilter, sinceMs: number): { text: string; values: unknown[] } {
  const { tags, columns } = storedFilter(filter);
  const pairs = Object.entries(tags);
  const given = Object.fromEntries(pairs.filter(([, value]) => value !== ""));
  const values: unknown[] = [sinceMs, JSON.stringify(given)];
  const conditions = Object.entries(columns).map(([name, value]) => `${name} = $${values.push(value)}`);
  for (const [name, value] of pairs)
    if (value === "") conditions.push(`coalesce(tags ->> $${values.push(name)}::text, '') = ''`);
  const where = ["tags @> $2::jsonb", ...conditions].join(" AND ");
  const firstDay = `$${values.push(firstDayFrom(sinceMs))}`;
  const text = `
    SELECT coalesce(sum(amount), 0)::text AS spent FROM (
      SELECT ${SPENT}::numeric AS amount FROM attempts WHERE NOT rolled_up AND started_at_ms >= $1 AND ${where}
      UNION ALL
      SELECT cost_pico_usd + unknown_pico_usd FROM spend_hours WHERE hour_ms >= $1 AND hour_ms < ${firstDay} AND ${where}
      UNION ALL
      SELECT cost_pico_usd + unknown_pico_usd FROM spend_days WHERE day_ms >= ${firstDay} AND ${where}) AS amounts`;
  return { text, values };
}

export function insert(table: string, columns: Columns): string {
  return `
    INSERT INTO ${table} (${Object.keys(columns).join()})
    SELECT ${valuesOf(columns).join()} FROM jsonb_array_elements($1::jsonb) AS r
    ON CONFLICT DO NOTHING`;
}

function settle(condition: string): string {
  const values = valuesOf(SETTLEMENT_COLUMNS);
  const setters = Object.keys(SETTLEMENT_COLUMNS).map((name, index) =>
    // More may be held ready than the intent said, but never nothing.
    name === "reserved_pico_usd"
      ? `${name} = coalesce(${values[index]}, a.${name})`
      : `${name} = ${values[index]}`,
  );
  return `
    UPDATE attempts AS a SET ${setters.slice(2).join()}, state = 'settled'
    FROM jsonb_array_elements($1::jsonb) AS r
    WHERE a.call_id = r->>0 AND a.number = (r->>1)::integer AND a.${condition}`;
}

function valuesOf(columns: Columns): string[] {
  const types = { text: "text", integer: "integer", bigint: "bigint", json: "jsonb", uuid: "uuid" };
  return Object.values(columns).map((kind, index) => `(r->>${index})::${types[kind]}`);
}

/** Marks rows as being in the sums of their hours and days, or not any more, and makes it so. Tells how many. */
function flagAndBook(table: "attempts" | "calls", sign: "" | "-", rolledUp: boolean, chosen: string): string {
  const [sums, same] =
    table === "calls"
      ? [CALL_SUMS, "t.call_id = c.call_id"]
      : [ATTEMPT_SUMS, "t.call_id = c.call_id AND t.number = c.number"];
  const book = (grain: "hour" | "day") => bookSums(grain, sums, sign, "booked", "md5(tags::text)");
  return `
    WITH chosen AS (${chosen}), booked AS (
      UPDATE ${table} AS t SET rolled_up = ${rolledUp} FROM chosen AS c WHERE ${same} RETURNING t.*
    ), hours AS (${book("hour")}), days AS (${book("day")})
    SELECT count(*) AS count FROM booked`;
}
