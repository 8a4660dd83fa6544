/** The catalog after an import: the table's rows, our own as they are, and what prices were before. Reads and writes no file. */
import { hasOtherPrices, ownNames, withoutNames } from "./compare.ts";
import { isFromTable, type Table } from "./litellm.ts";
import { aliasesOf, newest, type Row, type Rows, type WrittenCatalog, withAliases } from "./written.ts";

/**
 * A row whose prices changed becomes a list, so that calls of before keep their price. A row that the table no longer
 * has is dropped, unless its source is another.
 *
 * @param date the day of the import, from which new prices count
 */
export function revised(catalog: WrittenCatalog, table: Table, date: string): WrittenCatalog {
  const providers = new Map([...catalog.providers.keys()].map((name) => [name, new Map<string, Rows>()]));
  for (const [provider, rows] of table.providers) {
    const models = catalog.providers.get(provider) ?? new Map<string, Rows>();
    const ours = ownNames(models);
    const fresh = [...rows].filter(([model]) => !ours.has(model));
    providers.set(
      provider,
      new Map(fresh.map(([model, row]) => [model, next(models.get(model), withoutNames(row, ours), date)])),
    );
  }
  for (const [provider, models] of catalog.providers) {
    const target = providers.get(provider);
    for (const [model, rows] of models) {
      if (!target || isFromTable(newest(rows))) continue;
      const names = aliasesOf(table.providers.get(provider)?.get(model) ?? {});
      target.set(model, withNewest(rows, withAliases(newest(rows), free(names, target))));
    }
  }
  const sorted = [...providers].map(([name, rows]) => [name, new Map([...rows].sort(byName))] as const);
  return { version: versionAfter(catalog.version, date), last_updated: date, providers: new Map(sorted) };
}

/** Only names that no other row has. */
function free(names: readonly string[], models: ReadonlyMap<string, Rows>): readonly string[] {
  const taken = new Set([...models].flatMap(([model, rows]) => [model, ...rows.flatMap(aliasesOf)]));
  return names.filter((name) => !taken.has(name));
}

function next(known: Rows | undefined, row: Row, date: string): Rows {
  if (!known) return [row];
  const last = newest(known);
  const from = String(last.effective_from ?? "");
  const dated = (effectiveFrom: string) => (effectiveFrom ? { ...row, effective_from: effectiveFrom } : row);
  if (!hasOtherPrices(last, row)) {
    const { source } = isSame(last, row) ? last : row;
    return withNewest(known, { ...dated(from), source });
  }
  // Two imports on one day: the later one is the better informed.
  if (from >= date) return withNewest(known, dated(from));
  return [...known.map(nameless), dated(date)] as unknown as Rows;
}

/** A name of before may be a model of its own by now; those that are still names stand in the newest row. */
function nameless({ aliases: _, ...row }: Row): Row {
  return row;
}

function withNewest(rows: Rows, row: Row): Rows {
  return [...rows.slice(0, -1), row] as unknown as Rows;
}

function isSame(one: Row, other: Row): boolean {
  const text = ({ source: _, effective_from: __, ...row }: Row) =>
    JSON.stringify(Object.entries(row).sort(byName));
  return text(one) === text(other);
}

/** `YYYY-MM-DD.N`, where N counts the imports of a day. */
function versionAfter(version: string, date: string): string {
  const [day, count] = version.split(".");
  return `${date}.${day === date && /^\d+$/.test(count ?? "") ? Number(count) + 1 : 1}`;
}

function byName([one]: readonly [string, unknown], [other]: readonly [string, unknown]): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
