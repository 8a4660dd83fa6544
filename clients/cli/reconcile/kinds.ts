/** Why the ledger and a provider's export are likely to differ, by the form of their differences. */
import { type Cell, size, surplusOf } from "./compare.ts";
import type { Quantity } from "./export.ts";

/** What each is told as. */
export const KINDS = {
  missing_export_day: "the export has nothing of the day: export it again, or once the provider has it",
  time_zone_shift: "together the days agree: the export's days begin at another hour; export it in UTC",
  other_callers: "the export always has more: others use the account, or it is a charge beside the tokens",
  cached_tokens: "as many tokens, but not as many from the prompt cache",
  wrong_tier: "the same tokens at another price: another service tier, or the catalog is wrong",
  unpriced: "the ledger has calls without a price: add the model to the catalog, and reprice",
  unknown_usage: "the ledger has calls of which nothing is known, since their gateway was gone",
  unbooked_calls: "the export has calls that the ledger has not",
  estimated: "the ledger has calls that broke off, and were estimated on the dear side",
  not_in_export:
    "the ledger has calls that the export has not: another account or project, or not counted yet",
  unexplained: "costs alone do not tell; give the export of tokens too",
} as const;
export type Kind = keyof typeof KINDS;

export interface Difference {
  readonly kind: Kind;
  /** Empty for all of them together. */
  readonly model: string;
  /** At least one, in their order. */
  readonly cells: readonly Cell[];
}

/** All that differs, each once; those of one kind at one model are one. */
export function explain(cells: readonly Cell[]): Difference[] {
  const known = new Map<Cell, Kind>();
  const left = () => cells.filter((cell) => cell.off.length > 0 && !known.has(cell));
  const exported = new Set(
    cells.filter((cell) => cell.told.some((quantity) => cell.provider[quantity] > 0n)).map(({ day }) => day),
  );
  for (const cell of left()) if (!exported.has(cell.day)) known.set(cell, "missing_export_day");
  for (const own of byModel(cells)) {
    const open = new Set(left());
    if (isForeign(own)) for (const cell of own) if (open.has(cell)) known.set(cell, "other_callers");
    for (const cell of shifted(own.filter((cell) => cell.off.length === 0 || open.has(cell))))
      known.set(cell, "time_zone_shift");
  }
  for (const cell of left()) known.set(cell, kindOf(cell));
  return gathered(known);
}

/** By what alone is off. */
function kindOf(cell: Cell): Kind {
  const { off, ledger } = cell;
  const counted = countsOf(cell);
  if (counted.length === 0) return ledger.unpriced > 0n ? "unpriced" : "unexplained";
  const differing = counted.filter((quantity) => off.includes(quantity));
  if (differing.length === 0) {
    if (off.some((quantity) => quantity !== "costPicoUsd")) return "cached_tokens";
    return ledger.unpriced > 0n ? "unpriced" : "wrong_tier";
  }
  if (differing.some((quantity) => surplusOf(cell, quantity) > 0n))
    return ledger.unknown > 0n ? "unknown_usage" : "unbooked_calls";
  return ledger.estimated > 0n ? "estimated" : "not_in_export";
}

/** What says that a call was made. */
const COUNTS: readonly Quantity[] = ["requests", "inputTokens", "outputTokens"];

function countsOf({ told }: Cell): readonly Quantity[] {
  return COUNTS.filter((quantity) => told.includes(quantity));
}

const LEAST_DAYS = 3;
const MOST_DAYS = 0.8;

/** A model that the ledger never had, or that has about as much more on most of its days. */
function isForeign(cells: readonly Cell[]): boolean {
  if (cells.every(({ ledger }) => ledger.requests === 0n)) return true;
  const quantity =
    cells[0] && (["inputTokens", "requests"] as const).find((one) => cells[0]?.told.includes(one));
  if (quantity === undefined) return false;
  const more = cells
    .filter((cell) => cell.off.includes(quantity))
    .map((cell) => surplusOf(cell, quantity))
    .filter((surplus) => surplus > 0n)
    .sort((a, b) => (a < b ? -1 : 1));
  if (more.length < Math.max(LEAST_DAYS, cells.length * MOST_DAYS)) return false;
  const middle = more[Math.floor(more.length / 2)] ?? 0n;
  return more.every((surplus) => surplus * 2n >= middle && surplus <= middle * 2n);
}

/** What of their differences may be left over when days are only shifted: a tenth. */
const REST = 10n;

/** Cells of a model in successive days whose differences take each other away; the shortest such runs. */
function shifted(cells: readonly Cell[]): Cell[] {
  const found: Cell[] = [];
  for (let first = 0; first < cells.length; first++) {
    const last = lastOfRun(cells, first);
    if (last === undefined) continue;
    found.push(...cells.slice(first, last + 1).filter(({ off }) => off.length > 0));
    first = last;
  }
  return found;
}

function lastOfRun(cells: readonly Cell[], first: number): number | undefined {
  const begin = cells[first];
  if (!begin || begin.off.length === 0) return undefined;
  const quantities = countsOf(begin).length > 0 ? countsOf(begin) : begin.told;
  if (!quantities.some((quantity) => begin.off.includes(quantity))) return undefined;
  for (let last = first + 1; last < cells.length && follows(cells[last - 1], cells[last]); last++) {
    const run = cells.slice(first, last + 1);
    if ((cells[last]?.off.length ?? 0) > 0 && quantities.every((quantity) => balanced(run, quantity)))
      return last;
  }
  return undefined;
}

function balanced(run: readonly Cell[], quantity: Quantity): boolean {
  const surpluses = run.map((cell) => surplusOf(cell, quantity));
  const sum = surpluses.reduce((total, one) => total + one, 0n);
  const moved = surpluses.reduce((total, one) => total + size(one), 0n);
  // Requests may be few, and some of them never counted.
  return size(sum) * REST <= moved || (quantity === "requests" && size(sum) <= 1n);
}

const DAY_MS = 86_400_000;

function follows(one: Cell | undefined, next: Cell | undefined): boolean {
  return one !== undefined && next !== undefined && Date.parse(next.day) - Date.parse(one.day) === DAY_MS;
}

function byModel(cells: readonly Cell[]): Iterable<Cell[]> {
  return Map.groupBy(cells, ({ model }) => model).values();
}

function gathered(known: ReadonlyMap<Cell, Kind>): Difference[] {
  const found = new Map<string, { kind: Kind; model: string; cells: Cell[] }>();
  for (const [cell, kind] of known) {
    // A day that is missing is missing at all models.
    const model = kind === "missing_export_day" ? "" : cell.model;
    const key = `${kind} ${model}`;
    const difference = found.get(key) ?? { kind, model, cells: [] };
    difference.cells.push(cell);
    found.set(key, difference);
  }
  return [...found.values()];
}
