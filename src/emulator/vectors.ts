/**
 * Texts as unit vectors by feature hashing, so that texts with words in common are near each other and equal texts are
 * equal. The same text gives the same vector under every seed.
 */
import { hashText, mixSeeds } from "./random.ts";

/** Dimensions that each word of a text adds to or takes from. */
const SPREAD = 16;

export function embed(text: string, dimensions: number): Float32Array<ArrayBuffer> {
  const vector = new Float32Array(dimensions);
  const words = text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [text];
  for (const word of words) {
    const seed = hashText(word, 0);
    for (let feature = 0; feature < SPREAD; feature++) {
      const hash = mixSeeds(seed, feature);
      const at = (hash >>> 1) % dimensions;
      vector[at] = (vector[at] ?? 0) + (hash & 1 ? 1 : -1);
    }
  }
  const length = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
  if (length === 0) vector[0] = 1;
  return length === 0 ? vector : vector.map((value) => value / length);
}
