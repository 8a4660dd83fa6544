/** Money as integers. Dollars as floats exist only where a message leaves the gateway. */

/** Trillionths of a dollar, as an integer, so a million calls sum without drift. */
export type PicoUsd = bigint & { readonly unit: "pico-usd" };

export const ZERO = 0n as PicoUsd;

const PICO_PER_USD = 1e12;

/** Dollars for people and JSON: the double nearest to the exact amount. */
export function toUsd(amount: PicoUsd): number {
  return Number(amount) / PICO_PER_USD;
}

/** A caller's limit in dollars, rounded down so that it is never exceeded. */
export function fromUsd(usd: number): PicoUsd {
  return BigInt(Math.floor(usd * PICO_PER_USD)) as PicoUsd;
}

/**
 * The price of one token, from the price of a thousand.
 *
 * @throws RangeError when it is not a whole number of pico-USD: such a price
 *   would be charged wrongly from the first token on.
 */
export function picoPerToken(usdPer1k: number): PicoUsd {
  return exactPico(usdPer1k, PICO_PER_1K_DIGITS, " for 1,000 tokens", " for one");
}

/**
 * A price of one thing that is not counted in tokens.
 *
 * @throws RangeError when it is not a whole number of pico-USD
 */
export function picoPerUnit(usd: number): PicoUsd {
  return exactPico(usd, PICO_DIGITS);
}

function exactPico(usd: number, digitsOfOne: number, per = "", perOne = ""): PicoUsd {
  // A double is written as the shortest decimal that means it, which is what the file says: no float is multiplied.
  const [, whole = "", fraction = "", exponent = "0"] = DECIMAL.exec(String(usd)) ?? [];
  const shift = Number(exponent) + digitsOfOne - fraction.length;
  const unit = 10n ** BigInt(Math.abs(shift));
  const digits = BigInt(whole + fraction);
  const exact = whole !== "" && (shift >= 0 || digits % unit === 0n);
  const pico = shift >= 0 ? digits * unit : digits / unit;
  if (!exact || pico > Number.MAX_SAFE_INTEGER) {
    throw new RangeError(`${usd} USD${per} is not a whole number of pico-USD${perOne}`);
  }
  return pico as PicoUsd;
}

const DECIMAL = /^(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/;
/** A dollar is 10^12 pico-USD; for a thousand tokens it is 10^9 for one. */
const PICO_DIGITS = 12;
const PICO_PER_1K_DIGITS = 9;

/** What `count` tokens cost at a price for one. */
export function times(price: PicoUsd, count: number): PicoUsd {
  return (price * BigInt(count)) as PicoUsd;
}

export function lesser(a: PicoUsd, b: PicoUsd): PicoUsd {
  return b < a ? b : a;
}

export function sum(a: PicoUsd, b: PicoUsd): PicoUsd {
  return (a + b) as PicoUsd;
}
