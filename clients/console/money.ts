/** Amounts as people read them: every digit that counts, since a token costs so little. */

const PICO_PER_USD = 1_000_000_000_000n;
const PER_MILLION = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 6 });
const COUNT = new Intl.NumberFormat("en");

/** Exactly, from trillionths of a dollar. */
export function dollars(pico: bigint): string {
  const fraction = (pico % PICO_PER_USD).toString().padStart(12, "0").replace(/0+$/, "").padEnd(2, "0");
  return `$${COUNT.format(pico / PICO_PER_USD)}.${fraction}`;
}

/** The price of a million tokens, from that of a thousand. */
export function perMillion(usdPer1k: number): string {
  return `$${PER_MILLION.format(usdPer1k * 1000)}`;
}

export function count(tokens: number): string {
  return COUNT.format(tokens);
}
