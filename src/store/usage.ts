/**
 * What was spent, read on either engine: sums, rows a page at a time, single requests. It changes nothing, and how a
 * statement gets to its database it does not know.
 */
import type { Period, UsageStore } from "../core/usage-store.ts";
import { ATTEMPT_LIST, attemptOf, CALL_LIST, callOf } from "./booked.ts";
import type { StoredRow } from "./job-rows.ts";
import { cut, type Position, pageOf, positionOf } from "./page.ts";
import { storable } from "./rows.ts";
import { conditionsOf, type Dialect, foldSums, type Statement, usageQuery, Values } from "./usage-query.ts";

export interface Reader {
  readonly dialect: Dialect;
  /** Rows with their columns' names. */
  rows(statement: Statement): Promise<StoredRow[]>;
  /** Rows as lists, which are quicker where there are many. */
  lists(statement: Statement): Promise<readonly (readonly unknown[])[]>;
}

export function usageOn({ dialect, rows, lists }: Reader): UsageStore {
  const select = async (sql: string, ...values: (string | number)[]) => rows({ text: sql, values });
  return {
    usage: async (query) => foldSums(await lists(usageQuery(query, dialect)), query.groupBy),
    async attempts(period, { size, after }) {
      const booked = (await rows(attemptsQuery(period, positionOf("attempts", after), size + 1))).map(
        attemptOf,
      );
      const page = cut(booked, size, ({ startedAtMs, callId, attempt }) => [
        startedAtMs,
        `${callId}/${attempt.number}`,
      ]);
      return pageOf("attempts", page);
    },
    async requests({ sinceMs, untilMs, outcome, failureKind, ...filter }, { size, after }) {
      const values = new Values();
      const conditions = conditionsOf(filter, values, dialect);
      if (outcome !== undefined) conditions.push(`outcome = ${values.add(outcome)}`);
      if (failureKind !== undefined) conditions.push(`failure_kind = ${values.add(failureKind)}`);
      const position = positionOf("requests", after);
      if (position) {
        const [atMs, id] = [values.add(position[0]), values.add(storable(position[1]))];
        conditions.push(`started_at_ms <= ${atMs} AND (started_at_ms, call_id) < (${atMs}, ${id})`);
      }
      conditions.push(`started_at_ms >= ${values.add(sinceMs)} AND started_at_ms < ${values.add(untilMs)}`);
      const order = `ORDER BY started_at_ms DESC, call_id DESC LIMIT ${values.add(size + 1)}`;
      const statement = { text: ofBoth("calls", CALL_LIST, conditions, order), values: values.list };
      const calls = (await rows(statement)).map(callOf);
      return pageOf(
        "requests",
        cut(calls, size, (call) => [call.startedAtMs, call.callId]),
      );
    },
    async request(id) {
      const given = storable(id);
      const byId = `SELECT ${CALL_LIST} FROM calls`;
      const [row = undefined] = await select(`${byId} WHERE call_id = $1`, given);
      const [call = row] = row
        ? []
        : await select(
            `${byId} WHERE request_id = $1 AND request_id <> call_id ORDER BY started_at_ms DESC, call_id DESC LIMIT 1`,
            given,
          );
      const ofCall = `SELECT ${ATTEMPT_LIST} FROM attempts WHERE call_id = $1 ORDER BY number`;
      const attempts = (await select(ofCall, call ? String(call.call_id) : given)).map(attemptOf);
      if (!call && attempts.length === 0) return undefined;
      return { call: call && callOf(call), attempts };
    },
  };
}

function attemptsQuery(
  { sinceMs, untilMs }: Period,
  position: Position | undefined,
  limit: number,
): Statement {
  const values = new Values();
  const [fromMs, after] = position ?? [sinceMs, undefined];
  const [from, until] = [values.add(Math.max(fromMs, sinceMs)), values.add(untilMs)];
  const conditions = ["state <> 'open'", `started_at_ms >= ${from}`, `started_at_ms < ${until}`];
  if (after !== undefined) {
    const slash = after.lastIndexOf("/");
    const [callId, number] = [
      values.add(storable(after.slice(0, slash))),
      values.add(Number(after.slice(slash + 1))),
    ];
    conditions.push(`(started_at_ms, call_id, number) > (${from}, ${callId}, ${number})`);
  }
  const order = `ORDER BY started_at_ms, call_id, number LIMIT ${values.add(limit)}`;
  return { text: ofBoth("attempts", ATTEMPT_LIST, conditions, order), values: values.list };
}

/** The index that has the order of time has those apart that are in no sum yet. */
function ofBoth(table: string, list: string, conditions: readonly string[], order: string): string {
  const part = (rolledUp: boolean) =>
    `SELECT * FROM (SELECT ${list} FROM ${table} WHERE ${[`rolled_up = ${rolledUp}`, ...conditions].join(" AND ")} ${order}) AS part`;
  return `SELECT * FROM (${part(false)} UNION ALL ${part(true)}) AS both_parts ${order}`;
}
