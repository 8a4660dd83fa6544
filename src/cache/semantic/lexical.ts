/**
 * Texts as vectors by their words, without a model: for development, and where no text may leave. It knows words that
 * mean the same only where the lexicon does.
 */
import { wordsOf } from "./facts.ts";

const DIMENSIONS = 384;
/** Pieces of words, so that forms of one word are near each other. */
const PIECE = 3;

/** Of length 1; undefined for a text without words. */
export function lexicalVector(text: string): Float32Array | undefined {
  const words = wordsOf(text);
  const vector = new Float32Array(DIMENSIONS);
  for (const word of new Set(words)) {
    // Long words are rarer, and tell more.
    const weight = Math.log2(2 + word.length);
    add(vector, word, weight);
    const framed = ` ${word} `;
    const count = framed.length - PIECE + 1;
    for (let at = 0; at < count; at++) add(vector, framed.slice(at, at + PIECE), weight / (2 * count));
  }
  const length = Math.hypot(...vector);
  return length > 0 ? vector.map((value) => value / length) : undefined;
}

/** At two places, so that texts that meet at one are not alike yet. */
function add(vector: Float32Array, feature: string, weight: number): void {
  let hash = hashOf(feature);
  for (let place = 0; place < 2; place++) {
    const at = (hash >>> 1) % DIMENSIONS;
    vector[at] = (vector[at] as number) + (hash & 1 ? weight : -weight);
    hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) >>> 0;
  }
}

/** FNV-1a. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return (hash ^ (hash >>> 16)) >>> 0;
}
