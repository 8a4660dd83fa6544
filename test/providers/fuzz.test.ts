/**
 * Whatever any provider sends: events or a Failure, in bounded time, and no figure is forgotten that was received. The
 * cases are drawn by FUZZ_SEED, which the run prints; with the same one they are the same.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { mixSeeds, mulberry32, type Random } from "../../src/emulator/random.ts";
import { type Emulator, startEmulator } from "../../src/emulator/server.ts";
import type { Dialect } from "../../src/providers/dialect.ts";
import { type FrameReader, frameReader } from "../../src/wire/frames.ts";
import { bounded } from "../support/bounded.ts";
import {
  checkEvents,
  checkFigures,
  figuresOf,
  onlyFailures,
  pushFrame,
  readStream,
} from "../support/fuzz.ts";
import { below, brokenBytes, brokenJson, pick, shuffled } from "../support/mutation.ts";
import { DIALECTS } from "./dialects.ts";
import { emulatedSamples, recordedSamples, type Sample, shortened } from "./samples.ts";

const SEED = Number(process.env.FUZZ_SEED ?? 1);
const CASES = Number(process.env.FUZZ_CASES ?? 102_000);
const BATCH = 250;
/** A batch takes a tenth of a second. */
const BATCH_TIMEOUT_MS = 10_000;

/** All but the second, which is nonsense. */
const ANSWERED = [true, false, true, true];

const providers = Object.entries(DIALECTS);
const casesEach = Math.ceil(CASES / providers.length);
let emulator: Emulator;
let cases = 0;
let recorded = 0;

beforeAll(async () => {
  emulator = await startEmulator();
});
afterAll(async () => {
  await emulator.close();
  console.log(
    `fuzzed ${cases} replies of ${providers.length} providers, out of ${recorded} recordings and the emulator, with FUZZ_SEED=${SEED}`,
  );
});

describe.each(providers)("broken replies of %s", (provider, spoken) => {
  test("do no harm", { timeout: 60_000 }, async () => {
    const recordings = recordedSamples(spoken);
    recorded += recordings.length;
    const emulated = await emulatedSamples(spoken, emulator.url);
    expect(emulated.map(({ status }) => status < 300)).toEqual([...ANSWERED, ...ANSWERED]);
    expect(emulated.filter(isStream)).toHaveLength(3);
    const samples = [...recordings, ...emulated].map(shortened);
    const seed = mixSeeds(
      SEED,
      providers.findIndex(([name]) => name === provider),
    );
    for (let first = 0; first < casesEach; first += BATCH) {
      let current = "";
      try {
        bounded(BATCH_TIMEOUT_MS, () => {
          for (let i = first; i < first + BATCH; i++) {
            const random = mulberry32(mixSeeds(seed, i));
            const sample = pick(random, samples);
            current = `case ${i}, of ${sample.name}`;
            readBroken(random, spoken.dialect, sample, pick(random, samples));
            cases++;
          }
        });
      } catch (cause) {
        throw new Error(`FUZZ_SEED=${SEED}, ${provider}, ${current}: ${cause}`, { cause });
      }
    }
  });
});

test("what never comes back is stopped", () => {
  const loop = () => {
    for (;;);
  };
  expect(() => bounded(50, loop)).toThrow(/timed out/);
});

function isStream({ headers, status }: Sample): boolean {
  return status < 300 && frameReader(headers["content-type"] ?? "") !== undefined;
}

function readBroken(random: Random, dialect: Dialect, sample: Sample, other: Sample): void {
  if (!isStream(sample)) readWhole(random, dialect, sample, other);
  else pick(random, [readBytes, readFrames, readCut])(random, dialect, sample, other);
}

function readWhole(
  random: Random,
  dialect: Dialect,
  { bytes, status, headers }: Sample,
  other: Sample,
): void {
  const text =
    random() < 0.5
      ? brokenJson(random, bytes.toString())
      : brokenBytes(random, bytes, other.bytes).toString();
  if (status < 300) onlyFailures(() => checkEvents(dialect.decodeReply(text, headers).events));
  // Also with a status that it does not fit, as of a proxy in between.
  const failure = dialect.classify(
    random() < 0.5 ? Math.max(300, status) : 300 + below(random, 300),
    headers,
    text,
  );
  expect(failure.name).toBe("Failure");
}

function readBytes(random: Random, dialect: Dialect, { bytes, headers }: Sample, other: Sample): void {
  const broken = brokenBytes(random, bytes, other.bytes);
  readStream(broken, dialect.decodeStream(headers), framesOf(headers), pick(random, PIECES));
}

/** What a checksum would keep away as well: frames that are whole, and say something odd. */
function readFrames(random: Random, dialect: Dialect, { bytes, headers }: Sample): void {
  const reader = framesOf(headers);
  const frames = shuffled(random, [...reader.push(bytes), ...reader.end()]);
  const stream = dialect.decodeStream(headers);
  for (const frame of frames) pushFrame(stream, random() < 0.3 ? brokenJson(random, frame) : frame);
  onlyFailures(() => checkEvents(stream.end("")));
}

/** What comes last before the connection breaks: none of it has figures. */
const TAILS = [
  "",
  "{",
  "\n\ndata: {\n\n",
  'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"no"}}\n\n',
  '\n\ndata: {"error":{"code":500,"message":"no","status":"INTERNAL","type":"server_error"}}\n\n',
  '\n{"error":{"code":429,"message":"no","status":"RESOURCE_EXHAUSTED"}}\n',
  "data: [DONE]\n\n",
  "\u0000\u0000\u0001\u0000garbage",
].map((tail) => Buffer.from(tail));

/** What a clean reader has by then, a reader of broken ends has too. */
function readCut(random: Random, dialect: Dialect, { bytes, headers }: Sample): void {
  const prefix = bytes.subarray(0, below(random, bytes.length + 1));
  const clean = dialect.decodeStream(headers);
  const reader = framesOf(headers);
  for (const frame of reader.push(prefix)) onlyFailures(() => clean.push(frame));
  const before = figuresOf(clean.usage);
  // The last frame may count as whole or not, and its figures may replace higher ones.
  for (const frame of lastOf(reader)) onlyFailures(() => clean.push(frame));
  const after = figuresOf(clean.usage);
  const stream = dialect.decodeStream(headers);
  const broken = Buffer.concat([prefix, pick(random, TAILS)]);
  readStream(broken, stream, framesOf(headers), pick(random, PIECES));
  checkFigures(
    figuresOf(stream.usage),
    before?.map((figure, i) => Math.min(figure, after?.[i] ?? figure)),
  );
}

function lastOf(reader: FrameReader): string[] {
  let frames: string[] = [];
  onlyFailures(() => {
    frames = reader.end();
  });
  return frames;
}

const PIECES = [7, 64, 512, 16_384];

function framesOf(headers: Sample["headers"]): FrameReader {
  const frames = frameReader(headers["content-type"] ?? "");
  if (!frames) throw new Error("this is no stream");
  return frames;
}
