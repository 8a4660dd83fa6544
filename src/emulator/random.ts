/** Seeded randomness: the same seed and ordinal always draw the same numbers. Nothing here is fit for secrets. */

/** Draws the next number in [0, 1). */
export type Random = () => number;

/** The mulberry32 generator: 32 bits of state, enough for choosing words and faults. */
export function mulberry32(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

/** A 32-bit FNV-1a hash over the text's UTF-16 units, started from a seed. */
export function hashText(text: string, seed: number): number {
  let hash = (0x811c9dc5 ^ seed) >>> 0;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return hash >>> 0;
}

/** One seed out of two, so that neighbouring ordinals do not draw neighbouring numbers. */
export function mixSeeds(seed: number, ordinal: number): number {
  const mixed = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(ordinal + 1, 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

const ALPHANUMERIC = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const HEX_DIGITS = "0123456789abcdef";

/** Letters and digits, as in `chatcmpl-…` and `call_…`. */
export function randomAlphanumeric(random: Random, length: number): string {
  return randomText(random, ALPHANUMERIC, length);
}

/** Hexadecimal digits, as in `req_…` and `fp_…`. */
export function randomHex(random: Random, length: number): string {
  return randomText(random, HEX_DIGITS, length);
}

function randomText(random: Random, alphabet: string, length: number): string {
  let text = "";
  while (text.length < length) {
    text += alphabet.charAt(Math.floor(random() * alphabet.length));
  }
  return text;
}
