/** Keeps a million distinct answers of one shape, and prints what the heap came to on the way. */
import { randomBytes } from "node:crypto";
import { Memory } from "../../src/cache/memory.ts";
import { entrySize } from "../../src/cache/size.ts";
import { systemClock } from "../../src/core/clock.ts";
import { event } from "../../src/core/reply.ts";
import { answerOf, entryOf } from "./entries.ts";

export interface Filled {
  readonly count: number;
  readonly kept: number;
  readonly maxEntries: number;
  readonly maxBytes: number;
  readonly peaks: readonly { readonly heapBytes: number; readonly bytes: number; readonly entries: number }[];
  /** For each answer of the second tenth, and of the last. */
  readonly nanosFirst: number;
  readonly nanosLast: number;
}

const COUNT = Number(process.env.CACHE_ANSWERS ?? 1_000_000);
const MAX_ENTRIES = 100_000;
const MAX_BYTES = 32 * 1024 * 1024;

const noise = randomBytes(100_000)
  .toString("latin1")
  .replace(/[^ -~]/g, "-");
/** A text of its own, and no window into another. */
const text = (length: number, at: number) =>
  JSON.parse(JSON.stringify(noise.slice(at % 50_000, (at % 50_000) + length)));

const SHAPES: Readonly<Record<string, (key: string, index: number) => ReturnType<typeof entryOf>>> = {
  small: (key, index) => entryOf(key, { text: text(40, index), tags: { team: `team ${index}` } }),
  mixed: (key, index) => entryOf(key, { text: text(2 ** (5 + (index % 9)), index) }),
  foreign: (key, index) => entryOf(key, { text: `${index} ответ `.repeat(1 + (index % 40)) }),
  events: (key, index) => {
    const events = Array.from({ length: 1 + (index % 12) }, (_, at) =>
      event({ token: text(6, index + at), index: 1 }),
    );
    const entry = { ...entryOf(key), answer: { ...answerOf(), batches: [{ events, atMs: 0 }] } };
    const { bytes: _, ...rest } = entry;
    return { ...rest, bytes: entrySize(key, rest) };
  },
};

const make = SHAPES[process.argv[2] ?? ""];
if (!make) throw new Error(`give one of ${Object.keys(SHAPES).join(", ")}`);
process.stdout.write(JSON.stringify(fill(make)));

function fill(makeEntry: (key: string, index: number) => ReturnType<typeof entryOf>): Filled {
  const memory = new Memory(systemClock, { maxEntries: MAX_ENTRIES, maxBytes: MAX_BYTES });
  makeEntry("warm", 0);
  const emptyBytes = heapBytes();
  const peaks = [];
  const nanos: number[] = [];
  let index = 0;
  while (index < COUNT) {
    const beganAt = process.hrtime.bigint();
    for (const end = index + COUNT / 10; index < end; index++) {
      const key = randomBytes(32).toString("base64url");
      memory.keep(key, makeEntry(key, index));
    }
    nanos.push(Number(process.hrtime.bigint() - beganAt) / (COUNT / 10));
    peaks.push({ heapBytes: heapBytes() - emptyBytes, ...memory.held });
  }
  return {
    ...{ count: COUNT, kept: index, maxEntries: MAX_ENTRIES, maxBytes: MAX_BYTES, peaks },
    ...{ nanosFirst: nanos[1] ?? 0, nanosLast: nanos.at(-1) ?? 0 },
  };
}

function heapBytes(): number {
  globalThis.gc?.();
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
