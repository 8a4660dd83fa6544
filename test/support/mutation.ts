/** Ways to break bytes, text and lists by a seeded draw. It knows nothing of what they mean. */
import type { Random } from "../../src/emulator/random.ts";

export function below(random: Random, limit: number): number {
  return Math.floor(random() * limit);
}

export function pick<T>(random: Random, from: readonly T[]): T {
  const one = from[below(random, from.length)];
  if (one === undefined) throw new Error("nothing to pick from");
  return one;
}

/** Cut, with other bytes in place, without a piece, with a piece twice, or grown together with `other`. */
export function brokenBytes(random: Random, bytes: Buffer, other: Buffer): Buffer {
  const from = below(random, bytes.length);
  const to = Math.min(bytes.length, from + below(random, 200));
  switch (below(random, 5)) {
    case 0:
      return bytes.subarray(0, from);
    case 1:
      return flippedBytes(random, bytes);
    case 2:
      return Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)]);
    case 3:
      return Buffer.concat([bytes.subarray(0, to), bytes.subarray(from)]);
    default:
      return Buffer.concat([bytes.subarray(0, from), other.subarray(below(random, other.length))]);
  }
}

function flippedBytes(random: Random, bytes: Buffer): Buffer {
  const flipped = Buffer.from(bytes);
  for (let left = below(random, 6); left >= 0; left--)
    flipped[below(random, flipped.length)] = below(random, 256);
  return flipped;
}

const ODD = [
  "null",
  '""',
  "0",
  "-1",
  "1.5",
  "1e300",
  "[]",
  "{}",
  "[null]",
  "true",
  '"stop"',
  '{"error":"x"}',
];
/** Numbers, literals and strings; of a key too, which then is another. */
const VALUE = /-?\d[\d.eE+-]*|true|false|null|"(?:[^"\\]|\\.)*"/g;

/** JSON text with some values replaced, most often still JSON. */
export function brokenJson(random: Random, json: string): string {
  const share = 3 / Math.max(3, json.length / 12);
  return json.replace(VALUE, (value) => (random() < share ? pick(random, ODD) : value));
}

/** Without some, with some twice, and some in another place. */
export function shuffled<T>(random: Random, list: readonly T[]): T[] {
  const copy = [...list];
  for (let left = below(random, 4); left >= 0 && copy.length > 0; left--) {
    const at = below(random, copy.length);
    const moved = copy.splice(at, below(random, 2));
    copy.splice(
      below(random, copy.length + 1),
      0,
      ...moved,
      ...(random() < 0.5 ? list.slice(at, at + 1) : []),
    );
  }
  return copy;
}
