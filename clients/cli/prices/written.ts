/** The catalog as it is written: rows whose numbers keep the digits that stand in the file. Knows no table of others. */
import { parseExact } from "./decimal.ts";

/** A row of the catalog. */
export type Row = Record<string, unknown>;

/** The rows of a model, the newest last; in the file a single one is no list. */
export type Rows = readonly [Row, ...Row[]];

export interface WrittenCatalog {
  readonly version: string;
  readonly last_updated: string;
  readonly providers: ReadonlyMap<string, ReadonlyMap<string, Rows>>;
}

/** @param text a catalog that has been found valid */
export function parseCatalog(text: string): WrittenCatalog {
  const { version, last_updated, providers } = parseExact(text) as {
    version: string;
    last_updated: string;
    providers?: Readonly<Record<string, Readonly<Record<string, Row | Rows>> | null>>;
  };
  const written = Object.entries(providers ?? {}).map(
    ([provider, models]) =>
      [
        provider,
        new Map(Object.entries(models ?? {}).map(([model, rows]) => [model, listOf(rows)])),
      ] as const,
  );
  return { version, last_updated, providers: new Map(written) };
}

/** A row a line, so that a change of a price is a change of one line. */
export function catalogText({ version, last_updated, providers }: WrittenCatalog): string {
  const blocks = [...providers].map(([provider, models]) => {
    const lines = [...models].map(([model, rows]) => `      ${JSON.stringify(model)}: ${rowsText(rows)}`);
    return `    ${JSON.stringify(provider)}: {\n${lines.join(",\n")}\n    }`;
  });
  const head = `  "version": ${JSON.stringify(version)},\n  "last_updated": ${JSON.stringify(last_updated)}`;
  return `{\n${head},\n  "providers": {\n${blocks.join(",\n")}\n  }\n}\n`;
}

export function newest(rows: Rows): Row {
  return rows.at(-1) ?? rows[0];
}

export function aliasesOf({ aliases = [] }: Row): readonly string[] {
  return aliases as readonly string[];
}

export function withAliases(row: Row, names: readonly string[]): Row {
  const aliases = [...new Set([...aliasesOf(row), ...names])];
  return aliases.length > 0 ? { ...row, aliases } : row;
}

function listOf(rows: Row | Rows): Rows {
  return Array.isArray(rows) ? (rows as unknown as Rows) : [rows as Row];
}

function rowsText(rows: Rows): string {
  if (rows.length === 1) return JSON.stringify(rows[0]);
  return `[\n${rows.map((row) => `        ${JSON.stringify(row)}`).join(",\n")}\n      ]`;
}
