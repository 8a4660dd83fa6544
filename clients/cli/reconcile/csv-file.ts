/** Rows of a CSV file by the names of their columns, in whatever order those are. It knows no provider. */
import { CsvError, parse } from "csv-parse/sync";
import { countOf, unreadable } from "./export.ts";

export interface CsvRow {
  /** As errors name it, such as `usage.csv, line 3`. */
  readonly where: string;
  /** The first of these columns that the file has; throws when it has none. */
  text(...columns: readonly string[]): string;
  /** Empty when it has none. */
  optional(...columns: readonly string[]): string;
  count(...columns: readonly string[]): bigint;
  has(...columns: readonly string[]): boolean;
}

/** @throws InputError that names the line or the column */
export function readCsv(text: string, name: string): CsvRow[] {
  const [head, ...lines] = parsed(text, name);
  if (!head) throw unreadable(name, "it is empty");
  const at = new Map(head.record.map((column, index) => [column.trim(), index]));
  return lines.map(({ record, line }) => rowOf(record, `${name}, line ${line}`, at));
}

function rowOf(record: readonly string[], where: string, at: ReadonlyMap<string, number>): CsvRow {
  const first = (columns: readonly string[]) => columns.find((column) => at.has(column));
  const value = (column: string) => record[at.get(column) ?? -1] ?? "";
  const text = (...columns: readonly string[]) => {
    const column = first(columns);
    if (column !== undefined) return value(column);
    const have = [...at.keys()].join(", ");
    throw unreadable(where, `there is no column ${columns.join(" or ")}; there are ${have}`);
  };
  return {
    where,
    text,
    optional: (...columns) => value(first(columns) ?? ""),
    count: (...columns) => countOf(text(...columns), `${where}, ${first(columns)}`),
    has: (...columns) => first(columns) !== undefined,
  };
}

function parsed(text: string, name: string): readonly { record: readonly string[]; line: number }[] {
  try {
    const rows = parse(text, { bom: true, info: true, skip_empty_lines: true }) as unknown as {
      record: string[];
      info: { lines: number };
    }[];
    return rows.map(({ record, info }) => ({ record, line: info.lines }));
  } catch (error) {
    if (error instanceof CsvError) throw unreadable(name, `it is no CSV: ${error.message}`);
    throw error;
  }
}
