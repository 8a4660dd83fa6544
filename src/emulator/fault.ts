/**
 * Which fault applies to a request: what a directive in its text asks for, or what chaos draws.
 * It decides only; how a fault looks on the wire is not its business.
 */
import { mixSeeds, mulberry32, type Random } from "./random.ts";

/**
 * The faults of one request. In a text they are written `[[emulate: status=429 retry_after=2]]`;
 * the keys are those of DIRECTIVES. Everything absent stays as usual.
 */
export interface Fault {
  /** The directives but the mark, normalised, for the meter: `status=429 retry_after=2`. */
  readonly name: string;
  /** Answer with this HTTP error (400–599). With `errorAfter` it only shapes the error that is sent in-band. */
  readonly status?: number;
  /** The provider's error code; without a status the format picks the one that goes with it. */
  readonly code?: string;
  /** When to come back: seconds in `retry-after`, milliseconds in `retry-after-ms`, or seconds as an HTTP date. */
  readonly retryAfterSeconds?: number;
  readonly retryAfterMs?: number;
  readonly retryAfterDateSeconds?: number;
  /** Wait before the headers. */
  readonly delayMs?: number;
  /** Wait between the headers and the first content; a unary reply waits before its headers. */
  readonly firstTokenMs?: number;
  /** Wait between two content chunks of a stream. */
  readonly intervalMs?: number;
  /** The reply's length in tokens; `max_tokens` still cuts it. */
  readonly tokens?: number;
  /** Destroy the connection after so many content chunks; 0 before the headers; a unary reply half-way. */
  readonly cutAfter?: number;
  /** Broken JSON: a unary body, or the first content chunk of a stream. */
  readonly malformed?: boolean;
  /** Send an error under HTTP 200 after so many content chunks. */
  readonly errorAfter?: number;
  /** Leave the usage out. */
  readonly noUsage?: boolean;
  /** End a stream without its finish, usage and end marker. */
  readonly noDone?: boolean;
  /** Send every chunk twice. */
  readonly duplicate?: boolean;
  /** Accept the request and never answer. */
  readonly hang?: boolean;
  /** Reset the connection (TCP RST) instead of answering. */
  readonly reset?: boolean;
  /** A very long stream as fast as the reader takes it, past any `max_tokens`. */
  readonly flood?: boolean;
  /** No fault: a word by which the meter's record can be found again. Alone, it leaves chaos its draw. */
  readonly mark?: string;
}

/** A text with its directives taken out, and the faults that they ask for. */
export interface Directed {
  readonly text: string;
  /** Absent when the text holds no directive. */
  readonly fault?: Fault;
}

/** Whether the fault stands in place of the answer, so that no provider would bill the request. */
export function refuses(fault: Fault): boolean {
  if (fault.reset) return true;
  return (fault.status !== undefined || fault.code !== undefined) && fault.errorAfter === undefined;
}

/** What is wrong with a directive, in words for its writer. */
export class DirectiveError extends Error {}

const OPENING = "[[emulate:";
const DIRECTIVE = /\[\[emulate:([^\]]*)\]\]/g;

type Settings = { -readonly [Key in Exclude<keyof Fault, "name">]: NonNullable<Fault[Key]> };
type Setting = (value: string) => Partial<Settings>;

const DIRECTIVES: ReadonlyMap<string, Setting> = new Map<string, Setting>([
  ["status", (value) => ({ status: integer(value, 400, 599) })],
  ["code", (value) => ({ code: value })],
  ["retry_after", (value) => ({ retryAfterSeconds: decimal(value, 0, 86_400) })],
  ["retry_after_ms", (value) => ({ retryAfterMs: integer(value, 0, 86_400_000) })],
  ["retry_after_date", (value) => ({ retryAfterDateSeconds: integer(value, 0, 86_400) })],
  ["delay_ms", (value) => ({ delayMs: integer(value, 0, 3_600_000) })],
  ["first_token_ms", (value) => ({ firstTokenMs: integer(value, 0, 3_600_000) })],
  ["interval_ms", (value) => ({ intervalMs: integer(value, 0, 3_600_000) })],
  ["tokens", (value) => ({ tokens: integer(value, 0, 1_000_000) })],
  ["cut", (value) => ({ cutAfter: integer(value, 0, 1_000_000) })],
  ["malformed", (value) => ({ malformed: flag(value) })],
  ["error_event", (value) => ({ errorAfter: integer(value, 0, 1_000_000) })],
  ["no_usage", (value) => ({ noUsage: flag(value) })],
  ["no_done", (value) => ({ noDone: flag(value) })],
  ["duplicate", (value) => ({ duplicate: flag(value) })],
  ["hang", (value) => ({ hang: flag(value) })],
  ["reset", (value) => ({ reset: flag(value) })],
  ["flood", (value) => ({ flood: flag(value) })],
  ["mark", (value) => ({ mark: value })],
]);

/** Reads the directives in a text. Throws DirectiveError for an unknown key or a value it cannot mean. */
export function readDirectives(text: string): Directed {
  if (!text.includes(OPENING)) return { text };
  const words = [...text.matchAll(DIRECTIVE)].map((match) => match[1] ?? "").join(" ");
  return { text: text.replaceAll(DIRECTIVE, "").trim(), fault: readFault(words) };
}

/** Reads directives without their brackets, such as `status=429 retry_after=2`. Throws as `readDirectives` does. */
export function readFault(words: string): Fault {
  return faultOf(words.split(/\s+/).filter((word) => word !== ""));
}

/** What an emulator's owner set for all requests. */
export interface Chaos {
  readonly seed: number;
  /** Share of requests that get a fault. */
  readonly chaos: number;
  readonly profile: ChaosProfile;
  /** What they all get, instead of one that is drawn. */
  readonly fault: Fault | undefined;
  /** How long an answer waits before its first content where no fault says otherwise. */
  readonly firstTokenMs: number;
  /** How long a stream waits between two pieces of its content where no fault says otherwise. */
  readonly paceMs: number;
}

/** Which faults chaos draws from: all, or those that refuse, slow down or break an answer. */
export type ChaosProfile = "all" | "refuse" | "slow" | "break";

export const CHAOS_PROFILES: readonly ChaosProfile[] = ["all", "refuse", "slow", "break"];

/**
 * The fault that a request asks for, or else one that chaos draws, by seed and ordinal alone. It draws neither `hang`
 * nor `flood`: both end only by the caller's own limits, and a run under chaos has to end.
 */
export function chooseFault(asked: Fault | undefined, by: Chaos, ordinal: number): Fault | undefined {
  const drawn = asked === undefined || asked.name === "" ? drawFault(by, ordinal) : undefined;
  const fault = asked === undefined ? drawn : { ...asked, ...drawn };
  const { firstTokenMs, paceMs: intervalMs } = by;
  if ((firstTokenMs === 0 && intervalMs === 0) || fault?.flood) return fault;
  return { name: "", firstTokenMs, intervalMs, ...fault };
}

function drawFault({ seed, chaos, profile, fault }: Chaos, ordinal: number): Fault | undefined {
  if (chaos <= 0) return undefined;
  const random = mulberry32(mixSeeds(seed ^ 0xc4a05, ordinal));
  if (random() >= chaos) return undefined;
  if (fault !== undefined) return fault;
  const draws = CHAOS[profile];
  const draw = draws[Math.floor(random() * draws.length)];
  return draw === undefined ? undefined : faultOf(draw(random).split(" "));
}

type Draw = (random: Random) => string;

const REFUSING: readonly Draw[] = [() => "status=429 retry_after=1", () => "status=500", () => "status=503"];

const SLOW: readonly Draw[] = [
  (random) => `delay_ms=${upTo(random, 200)}`,
  (random) => `first_token_ms=${upTo(random, 200)}`,
  (random) => `interval_ms=${upTo(random, 10)}`,
];

const BREAKING: readonly Draw[] = [
  () => "cut=0",
  (random) => `cut=${upTo(random, 12)}`,
  () => "malformed=1",
  (random) => `error_event=${upTo(random, 12)}`,
  () => "no_usage=1",
  () => "no_done=1",
  () => "duplicate=1",
  () => "reset=1",
];

const CHAOS: Readonly<Record<ChaosProfile, readonly Draw[]>> = {
  all: [...REFUSING, ...SLOW, ...BREAKING],
  refuse: REFUSING,
  slow: SLOW,
  break: BREAKING,
};

function faultOf(words: readonly string[]): Fault {
  const settings: Partial<Settings> = {};
  for (const word of words) {
    const [key = "", value = ""] = word.split("=", 2);
    const setting = DIRECTIVES.get(key);
    if (setting === undefined) {
      throw new DirectiveError(
        `Unknown emulator directive '${key}'; known are ${[...DIRECTIVES.keys()].join(", ")}.`,
      );
    }
    try {
      Object.assign(settings, setting(value));
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new DirectiveError(`Emulator directive '${key}': ${error.message}`);
    }
  }
  const name = words.filter((word) => !word.startsWith("mark=")).join(" ");
  return { name, ...settings };
}

function integer(value: string, least: number, most: number): number {
  const number = Number(value);
  if (!/^\d+$/.test(value) || number < least || number > most) {
    throw new RangeError(`expected an integer from ${least} to ${most}, but got '${value}'.`);
  }
  return number;
}

function decimal(value: string, least: number, most: number): number {
  const number = Number(value);
  if (!/^\d+(\.\d+)?$/.test(value) || number < least || number > most) {
    throw new RangeError(`expected a number from ${least} to ${most}, but got '${value}'.`);
  }
  return number;
}

function flag(value: string): boolean {
  if (value !== "1" && value !== "0") throw new RangeError(`expected 1 or 0, but got '${value}'.`);
  return value === "1";
}

/** An integer from 1 to `most`. */
function upTo(random: Random, most: number): number {
  return 1 + Math.floor(random() * most);
}
