/** The ledger beside a provider's export, by day and model: where they differ beyond a tolerance. Why, it does not ask. */
import { type Amounts, type ExportRow, QUANTITIES, type Quantity } from "./export.ts";
import { modelKey } from "./model-name.ts";

/** What was booked of a day at a model. */
export interface LedgerRow extends Record<Quantity, bigint> {
  readonly day: string;
  readonly model: string;
  /** Of the requests, those that went well: the others may never have got to what the provider counts. */
  readonly ok: bigint;
  /** Of the requests, those whose tokens the gateway counted, whose price is not known, and of which nothing is known. */
  readonly estimated: bigint;
  readonly unpriced: bigint;
  readonly unknown: bigint;
  /** Of the cost, what was adjusted since it was booked. */
  readonly adjustmentPicoUsd: bigint;
}

export interface Cell {
  readonly day: string;
  /** As the ledger has it, or the export where the ledger has not; empty for all of them together. */
  readonly model: string;
  readonly ledger: LedgerRow;
  readonly provider: Record<Quantity, bigint>;
  /** What the export tells. */
  readonly told: readonly Quantity[];
  /** Of those, what differs beyond the tolerance. */
  readonly off: readonly Quantity[];
}

export interface Terms {
  /** All that are compared, in their order. */
  readonly days: readonly string[];
  /** How much may differ, of the greater: 0.01 is one in a hundred. */
  readonly tolerance: number;
  /** What the ledger calls a model that the export calls otherwise. */
  readonly aliases: ReadonlyMap<string, string>;
}

/** For each day in its order all models of which either has something. */
export function cellsOf(ledger: readonly LedgerRow[], exported: readonly ExportRow[], terms: Terms): Cell[] {
  const rounding = roundingOf(exported);
  const named = exported.filter(({ model }) => model !== "");
  // An export that does not tell models apart is held against all of them.
  const whole = exported.filter(({ model }) => model === "");
  // One without anything says of everything that there was none.
  const told = exported.length === 0 ? QUANTITIES : toldBy(named);
  const cells = [
    ...table(ledger, named, ({ model }) => modelKey(terms.aliases.get(model) ?? model), rounding, {
      ...terms,
      told,
    }),
    ...table(ledger, whole, () => "", rounding, { ...terms, told: toldBy(whole) }),
  ];
  const order = (cell: Cell) => `${cell.day} ${cell.model}`;
  return cells.sort((a, b) => (order(a) < order(b) ? -1 : 1));
}

/** Of both sides, how much they differ; below 0 where the ledger has more. */
export function surplusOf({ ledger, provider }: Cell, quantity: Quantity): bigint {
  if (quantity !== "requests") return provider[quantity] - ledger[quantity];
  if (provider.requests > ledger.requests) return provider.requests - ledger.requests;
  return provider.requests < ledger.ok ? provider.requests - ledger.ok : 0n;
}

export function size(amount: bigint): bigint {
  return amount < 0n ? -amount : amount;
}

function toldBy(exported: readonly ExportRow[]): Quantity[] {
  return QUANTITIES.filter((quantity) => exported.some((row) => row[quantity] !== undefined));
}

function table(
  ledger: readonly LedgerRow[],
  exported: readonly ExportRow[],
  keyOf: (row: { readonly model: string }) => string,
  rounding: bigint,
  { days, tolerance, told }: Terms & Pick<Cell, "told">,
): Cell[] {
  if (told.length === 0) return [];
  const found = new Map<
    string,
    { model: string; ledger: LedgerRow; provider: Record<Quantity, bigint>; rows: bigint }
  >();
  const of = (row: { readonly day: string; readonly model: string }) => {
    const key = `${row.day} ${keyOf(row)}`;
    const model = keyOf(row) && row.model;
    const known = found.get(key) ?? {
      model,
      ledger: nothing(row.day, model),
      provider: { ...ZEROS },
      rows: 0n,
    };
    found.set(key, known);
    return known;
  };
  const meant = new Set(days);
  for (const row of ledger) if (meant.has(row.day)) of(row).ledger = plus(of(row).ledger, row);
  for (const row of exported) {
    if (!meant.has(row.day) || !hasAny(row)) continue;
    const entry = of(row);
    for (const quantity of told) entry.provider[quantity] += row[quantity] ?? 0n;
    entry.rows++;
  }
  return [...found.values()].map(({ rows, ...entry }) => {
    const cell = { ...entry, day: entry.ledger.day, told, off: [] };
    return { ...cell, off: told.filter((quantity) => differs(cell, quantity, tolerance, rounding * rows)) };
  });
}

function differs(cell: Cell, quantity: Quantity, tolerance: number, rounding: bigint): boolean {
  const { ledger, provider } = cell;
  const surplus = size(surplusOf(cell, quantity));
  if (quantity === "costPicoUsd" && surplus <= rounding) return false;
  const share = BigInt(Math.round(tolerance * 1e6));
  // Beyond the tolerance of both is beyond that of the greater.
  return [ledger, provider].every((side) => surplus * MILLION > share * size(side[quantity]));
}

const MILLION = 1_000_000n;
const CENT = 10n ** 10n;

/** By how much each cost may have been rounded: half of the last digit that the export writes, at most half a cent. */
function roundingOf(exported: readonly ExportRow[]): bigint {
  const costs = exported.flatMap(({ costPicoUsd }) => (costPicoUsd ? [costPicoUsd] : []));
  let unit = CENT;
  while (unit > 1n && costs.some((cost) => cost % unit !== 0n)) unit /= 10n;
  return costs.length === 0 ? 0n : unit / 2n;
}

function hasAny(amounts: Amounts): boolean {
  return QUANTITIES.some((quantity) => (amounts[quantity] ?? 0n) !== 0n);
}

const ZEROS: Record<Quantity, bigint> = {
  requests: 0n,
  inputTokens: 0n,
  cachedInputTokens: 0n,
  cacheWriteTokens: 0n,
  outputTokens: 0n,
  costPicoUsd: 0n,
};

function nothing(day: string, model: string): LedgerRow {
  return { ...ZEROS, day, model, ok: 0n, estimated: 0n, unpriced: 0n, unknown: 0n, adjustmentPicoUsd: 0n };
}

const SUMMED = [...QUANTITIES, "ok", "estimated", "unpriced", "unknown", "adjustmentPicoUsd"] as const;

function plus(one: LedgerRow, other: LedgerRow): LedgerRow {
  const sums = SUMMED.map((name) => [name, one[name] + other[name]]);
  return { ...one, ...Object.fromEntries(sums) };
}
