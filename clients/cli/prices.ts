/** `llmgateway prices`: checks the catalog, compares it with the community's table, and takes over what is new there. */
import { readFile, rename, writeFile } from "node:fs/promises";
import { loadCatalog } from "../../src/cost/catalog.ts";
import { CatalogError } from "../../src/cost/catalog-file.ts";
import { bundled } from "../../src/version.ts";
import { type Difference, differences } from "./prices/compare.ts";
import { readTable, TABLE_URL, type Table } from "./prices/litellm.ts";
import { revised } from "./prices/revise.ts";
import { catalogText, parseCatalog, type WrittenCatalog } from "./prices/written.ts";

export interface PricesOptions {
  /** The catalog; the one that comes with the gateway when unset. */
  readonly file?: string;
  /** The table, by path or URL. */
  readonly reference?: string;
  /** Today, as `YYYY-MM-DD`. */
  readonly date: string;
}

export interface ImportOptions extends PricesOptions {
  /** Where the new catalog goes; in place of the old one when unset. */
  readonly out?: string;
}

/** Each gives the exit status: 1 when something is wrong. */
export function checkPrices(options: PricesOptions): Promise<number> {
  return told(async () => {
    const { catalog, path } = await readCatalog(options);
    const table = options.reference === undefined ? undefined : await readReference(options);
    const problems = [...withoutSource(catalog), ...outdated(catalog, options.date)];
    for (const difference of table ? differences(catalog, table) : []) problems.push(line(difference));
    for (const problem of problems) process.stdout.write(`${problem}\n`);
    const models = [...catalog.providers.values()].reduce((sum, rows) => sum + rows.size, 0);
    process.stdout.write(
      `${path}: version ${catalog.version}, ${models} models, ${counted(problems.length, "problem")}\n`,
    );
    return problems.length > 0 ? 1 : 0;
  });
}

export function diffPrices(options: PricesOptions): Promise<number> {
  return told(async () => {
    const { catalog } = await readCatalog(options);
    const table = await readReference(options);
    const found = differences(catalog, table);
    for (const difference of found) process.stdout.write(`${line(difference)}\n`);
    const counts = (["added", "removed", "changed"] as const).map(
      (kind) => `${found.filter((difference) => difference.kind === kind).length} ${kind}`,
    );
    process.stdout.write(`${counts.join(", ")}; prices in US dollars for a million tokens\n`);
    return 0;
  });
}

export function importPrices(options: ImportOptions): Promise<number> {
  return told(async () => {
    const { catalog, path } = await readCatalog(options);
    const table = await readReference(options);
    const after = revised(catalog, table, options.date);
    const text = catalogText(after);
    const out = options.out ?? path;
    loadCatalog(text, out);
    await write(out, text);
    for (const { name, why } of table.notes) process.stderr.write(`left out: ${name}: ${why}\n`);
    for (const difference of differences(catalog, table)) process.stdout.write(`${line(difference)}\n`);
    process.stdout.write(`${out}: version ${after.version}\n`);
    return 0;
  });
}

/** What an operator can mend is told in a line; anything else is a defect and keeps its stack. */
class Unusable extends Error {}

async function told(run: () => Promise<number>): Promise<number> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof Unusable || error instanceof CatalogError)) throw error;
    process.stderr.write(`error: ${error.message}\n`);
    return 1;
  }
}

async function readCatalog({ file }: PricesOptions): Promise<{ catalog: WrittenCatalog; path: string }> {
  const path = file ?? bundled("docs", "price-catalog.json");
  const text = await read(path, "the catalog");
  loadCatalog(text, path);
  return { catalog: parseCatalog(text), path };
}

async function readReference({ reference = TABLE_URL, date }: PricesOptions): Promise<Table> {
  const what = "LiteLLM's table";
  const text = /^https?:/.test(reference) ? await download(reference, what) : await read(reference, what);
  let table: Table;
  try {
    table = readTable(text, date);
  } catch (error) {
    throw new Unusable(`${what} at ${reference} cannot be understood: ${(error as Error).message}`);
  }
  // A page that says something else would empty the catalog.
  if ([...table.providers.values()].every((rows) => rows.size === 0))
    throw new Unusable(`${what} at ${reference} has no row of a provider that the gateway knows`);
  return table;
}

async function read(path: string, what: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw new Unusable(`${what} cannot be read: ${(error as Error).message}`);
  }
}

/** At once: a gateway that watches the file must never see a part of it. */
async function write(path: string, text: string): Promise<void> {
  try {
    await writeFile(`${path}.new`, text);
    await rename(`${path}.new`, path);
  } catch (error) {
    throw new Unusable(`the catalog cannot be written: ${(error as Error).message}`);
  }
}

const DOWNLOAD_TIMEOUT_MS = 60_000;

async function download(url: string, what: string): Promise<string> {
  try {
    const reply = await fetch(url, { signal: AbortSignal.timeout(DOWNLOAD_TIMEOUT_MS) });
    if (!reply.ok) throw new Error(`HTTP ${reply.status}`);
    return await reply.text();
  } catch (error) {
    const { message, cause } = error as Error;
    const reason = cause instanceof Error ? cause.message : message;
    throw new Unusable(`${what} cannot be loaded from ${url}: ${reason}; give --reference a file`);
  }
}

function withoutSource({ providers }: WrittenCatalog): string[] {
  return [...providers].flatMap(([provider, models]) =>
    [...models].flatMap(([model, rows]) =>
      rows.some(({ source }) => !source)
        ? [`source   ${provider}/${model}: does not say where it was read`]
        : [],
    ),
  );
}

const MAX_AGE_DAYS = 90;
const DAY_MS = 86_400_000;

function outdated({ last_updated }: WrittenCatalog, date: string): string[] {
  const days = Math.floor((Date.parse(date) - Date.parse(last_updated)) / DAY_MS);
  if (days <= MAX_AGE_DAYS) return [];
  return [
    `age      last updated on ${last_updated}, ${days} days ago; after ${MAX_AGE_DAYS} prices need another look`,
  ];
}

function line({ kind, name, facts }: Difference): string {
  return `${kind.padEnd(8)} ${name}${facts.length > 0 ? `: ${facts.join(", ")}` : ""}`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
