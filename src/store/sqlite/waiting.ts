/**
 * Whose turn it is among the jobs in SQLite that wait, and those whose run is lost. It looks at each priority apart, and
 * changes nothing.
 */
import { numberOf, type StoredRow } from "../job-rows.ts";
import type { prepareJobs } from "./job-statements.ts";

type Statements = ReturnType<typeof prepareJobs>;

/** At most so many. Those of a higher priority that are not due, however many, cost nothing. */
export function nextJobs(statements: Statements, limit: number, nowMs: number): StoredRow[] {
  const found: StoredRow[] = [];
  for (const priority of priorities(statements)) {
    if (found.length >= limit) break;
    found.push(...statements.waiting.all(priority, nowMs, nowMs, limit - found.length));
  }
  return [...statements.lost.all(nowMs), ...found].sort(byTurn).slice(0, limit);
}

/** When the first of those that wait is due. */
export function firstDue(statements: Statements): number | undefined {
  const dues = priorities(statements).map((priority) => Number(statements.firstDue.get(priority)?.due));
  return dues.length > 0 ? Math.min(...dues) : undefined;
}

/** Of the jobs that wait, from the highest on. */
function priorities(statements: Statements): number[] {
  const found: number[] = [];
  let next: number | undefined = Number.MAX_SAFE_INTEGER;
  while (next !== undefined) {
    next = numberOf(statements.priority.get(next)?.priority);
    if (next !== undefined) found.push(next);
  }
  return found;
}

/** The highest priority first, then what was due first, then the oldest. */
function byTurn(one: StoredRow, other: StoredRow): number {
  return (
    Number(other.priority) - Number(one.priority) ||
    Number(one.due_at_ms) - Number(other.due_at_ms) ||
    (String(one.job_id) < String(other.job_id) ? -1 : 1)
  );
}
