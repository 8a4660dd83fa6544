/**
 * What was spent as questions to a thread that only reads: to sum up a year must not hold up what is being written.
 * It knows neither tables nor files.
 */
import type { StoredRow } from "../job-rows.ts";
import type { Reader } from "../usage.ts";
import { type Dialect, SPLIT, type Statement } from "../usage-query.ts";
import { type Seat, Thread } from "./thread.ts";

const SQLITE: Dialect = {
  tag: (parameter) => `json_extract(tags, ${parameter})`,
  // As a path, whose names are quoted as texts are.
  tagName: (name) => `$.${JSON.stringify(name)}`,
  total: (amount) =>
    `coalesce(sum((${amount}) / ${SPLIT}), 0) || ':' || coalesce(sum((${amount}) % ${SPLIT}), 0)`,
};

/** The thread begins with the first question. */
export function readingBy(seat: Seat): Reader & { close(): Promise<void> } {
  let thread: Thread | undefined;
  const begin = () => {
    const forget = () => {
      thread = undefined;
    };
    const begun = new Thread("reader", seat, forget);
    begun.opened.catch(forget);
    return begun;
  };
  const ask = async (kind: "rows" | "lists", { text, values }: Statement): Promise<unknown> => {
    // One that is gone is replaced with the next question.
    thread ??= begin();
    return thread.ask({ kind, text, values });
  };
  return {
    dialect: SQLITE,
    rows: async (statement) => (await ask("rows", statement)) as StoredRow[],
    lists: async (statement) => (await ask("lists", statement)) as unknown[][],
    close: async () => thread?.close(),
  };
}
