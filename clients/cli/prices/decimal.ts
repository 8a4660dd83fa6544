/** Decimal numbers by their digits, since a price that went through a double may be another price. */

/** JSON whose numbers keep the digits that were written: a double would change a price. */
export function parseExact(text: string): Record<string, unknown> {
  return JSON.parse(text, (_, value, context?: { source?: string }) =>
    typeof value === "number" ? raw(context?.source ?? String(value)) : value,
  );
}

/** The number as it is written, without what does not change it; empty for none. */
export function digits(value: unknown): string {
  return value === undefined ? "" : shift(JSON.stringify(value), 0);
}

/** From the price of one token to that of a thousand. */
export function per1k(perToken: string): string {
  return shift(perToken, 3);
}

/** A number that JSON.stringify writes as it is given. */
export function raw(text: string): object {
  return (JSON as unknown as { rawJSON(text: string): object }).rawJSON(text);
}

/**
 * A decimal times a power of ten, by its digits alone, in plain notation.
 *
 * @throws RangeError when it is none, or is below 0
 */
export function shift(decimal: string, places: number): string {
  const [, whole = "", fraction = "", exponent = "0"] = DECIMAL.exec(decimal) ?? [];
  if (whole === "") throw new RangeError(`${decimal} is not a number from 0 on`);
  const point = whole.length + Number(exponent) + places;
  const padded = "0".repeat(Math.max(0, -point)) + whole + fraction;
  const all = padded.padEnd(Math.max(0, point), "0");
  const before = all.slice(0, Math.max(0, point)).replace(/^0+(?=\d)/, "");
  const after = all.slice(Math.max(0, point)).replace(/0+$/, "");
  return after ? `${before || "0"}.${after}` : before || "0";
}

const DECIMAL = /^(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;
