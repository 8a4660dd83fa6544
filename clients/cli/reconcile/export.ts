/**
 * What a provider's export says, in one form for all of them: usage and cost by the day and the model. It knows no
 * format.
 */
import { InputError } from "../input-error.ts";

/** What an export may tell. Input includes what was cached, output includes what was thought, as in the ledger. */
export const QUANTITIES = [
  "requests",
  "inputTokens",
  "cachedInputTokens",
  "cacheWriteTokens",
  "outputTokens",
  "costPicoUsd",
] as const;
export type Quantity = (typeof QUANTITIES)[number];

/** What is absent the export does not tell. Costs are in trillionths of a dollar, not always whole. */
export type Amounts = Partial<Record<Quantity, bigint>>;

export interface ExportRow extends Amounts {
  /** Of UTC, such as `2026-08-01`. */
  readonly day: string;
  /** As the provider writes it; empty when it is not told apart. */
  readonly model: string;
}

/** @param name of the file, and where in it */
export function unreadable(name: string, problem: string): InputError {
  return new InputError(`${name}: ${problem}`);
}

/** @param where as errors name it, such as `costs.csv, line 3, amount_value` */
export function countOf(text: string, where: string): bigint {
  const plain = text.trim();
  if (plain === "") return 0n;
  // Spreadsheets write whole numbers as 12.0.
  if (/^\d+(\.0+)?$/.test(plain)) return BigInt(plain.split(".")[0] ?? "");
  throw unreadable(where, `"${text}" is no whole number`);
}

/** Dollars by their digits, to the nearest trillionth, times a power of ten. */
export function costOf(text: string, where: string, power = 0): bigint {
  const plain = text.trim();
  if (plain === "") return 0n;
  const [, sign = "", whole = "", fraction = "", exponent = "0"] = DECIMAL.exec(plain) ?? [];
  if (whole === "") throw unreadable(where, `"${text}" is no amount`);
  const shift = PICO_DIGITS + power + Number(exponent) - fraction.length;
  const digits = BigInt(whole + fraction);
  const unit = 10n ** BigInt(Math.abs(shift));
  const pico = shift >= 0 ? digits * unit : (digits + unit / 2n) / unit;
  return sign === "-" ? -pico : pico;
}

const DECIMAL = /^([+-]?)(\d+)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/;
const PICO_DIGITS = 12;

/** A day, a time with its zone, or seconds since 1970, as the day of UTC that it is in. */
export function dayOf(text: string, where: string): string {
  const plain = text.trim().replace(/ UTC$/, "Z");
  const ms = /^\d{9,11}(\.\d+)?$/.test(plain) ? Number(plain) * 1_000 : zoned(plain);
  if (Number.isFinite(ms)) return new Date(ms).toISOString().slice(0, "2026-08-01".length);
  throw unreadable(where, `"${text}" is no day, and no time with its zone`);
}

function zoned(text: string): number {
  if (/^\d{4}-\d\d-\d\d$/.test(text)) return Date.parse(`${text}T00:00:00Z`);
  const isZoned = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)$/.test(text);
  return isZoned ? Date.parse(text.replace(" ", "T")) : Number.NaN;
}

export function inDollars(currency: string, where: string): void {
  if (currency.trim().toUpperCase() === "USD") return;
  throw unreadable(where, `the amount is in "${currency}"; the ledger is in USD: export it in USD`);
}
