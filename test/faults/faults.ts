/** The faults that a provider is hurt by, each with what does it; those that take long side by side. */
import { startBlackHole } from "../support/black-hole.ts";
import { makeCalls } from "./calls.ts";
import { afterEvents, BEFORE_REPLY, IN_HEAD, type Place, type Strike, withinEvent } from "./proxy.ts";
import { SICK, TARGETS, type World } from "./world.ts";

export interface Fault {
  readonly name: string;
  /** Where the provider is instead, and what is to be let go of afterwards. */
  readonly at?: () => Promise<{ readonly origin: string } & AsyncDisposable>;
  /** Before the first call. */
  readonly strike?: (world: World) => void | Promise<void>;
  /** After the last. */
  readonly heal?: (world: World) => void | Promise<void>;
  /** What is delivered by then is not made good: such calls end in one error with a receipt. */
  readonly afterCommit?: boolean;
  /** What a 429 asked for, in milliseconds: the least that the next attempt at the same target waits. */
  readonly askedMs?: number;
}

/** The emulator does what its owner wants, to this share of its requests. */
const emulator =
  (fault: string, chaos = 1) =>
  ({ sick }: World) =>
    sick.misbehave({ fault, chaos });

const proxy =
  (how: Strike, at: Place) =>
  ({ proxy }: World) => {
    proxy.behaviour = { kind: "strike", with: how, at };
  };

const PERIOD_MS = 250;
/** Too few for a circuit to open. */
const SOME = 0.3;

export const FAULTS: readonly Fault[] = [
  {
    name: "black hole",
    strike: ({ proxy }) => {
      proxy.behaviour = { kind: "silent" };
    },
  },
  { name: "port with a full queue", at: startBlackHole },
  { name: "slow first word", strike: emulator("first_token_ms=30000") },
  { name: "slow bytes", strike: proxy("crawl", BEFORE_REPLY) },
  { name: "slow words after some", strike: proxy("crawl", afterEvents(5)), afterCommit: true },

  { name: "provider down", strike: ({ proxy }) => proxy.down() },
  { name: "host name unknown", at: async () => nowhere("http://provider.invalid") },
  { name: "flapping", strike: ({ proxy }) => proxy.flap(PERIOD_MS), heal: ({ proxy }) => proxy.steady() },
  { name: "half-open connections", strike: loseConnections, heal: ({ proxy }) => proxy.resetLost() },
  { name: "reset before the reply", strike: proxy("reset", BEFORE_REPLY) },

  { name: "reset within the head", strike: proxy("reset", IN_HEAD) },
  { name: "reset before the first word", strike: proxy("reset", afterEvents(1)) },
  { name: "reset after some words", strike: proxy("reset", afterEvents(5)), afterCommit: true },
  { name: "cut before the head", strike: emulator("cut=0") },
  { name: "cut after some words", strike: emulator("cut=4"), afterCommit: true },

  { name: "bad bytes before the first word", strike: proxy("corrupt", withinEvent(0)) },
  { name: "bad bytes after some words", strike: proxy("corrupt", withinEvent(5)), afterCommit: true },
  { name: "error event after some words", strike: emulator("error_event=4"), afterCommit: true },
  { name: "30 % errors", strike: emulator("status=500", SOME) },
  { name: "all errors", strike: emulator("status=503") },

  { name: "429, retry-after: 1", strike: emulator("status=429 retry_after=1", SOME), askedMs: 1_000 },
  { name: "429, retry-after: 0.2", strike: emulator("status=429 retry_after=0.2", SOME), askedMs: 200 },
  { name: "429, retry-after-ms: 200", strike: emulator("status=429 retry_after_ms=200", SOME), askedMs: 200 },
  {
    name: "429, retry-after-ms: 0 and retry-after: 0.2",
    strike: emulator("status=429 retry_after_ms=0 retry_after=0.2", SOME),
    askedMs: 200,
  },
  { name: "429, retry-after: a date", strike: emulator("status=429 retry_after_date=1", SOME) },
  { name: "429 alone", strike: emulator("status=429", SOME) },
];

async function nowhere(origin: string) {
  return { origin, [Symbol.asyncDispose]: async () => {} };
}

/** The connections that are kept after some calls lead nowhere, and nobody says so until all is over. */
async function loseConnections({ url, proxy }: World): Promise<void> {
  await makeCalls(url, { count: 36, atOnce: 12, model: () => TARGETS[SICK], series: "before" });
  proxy.loseAll();
}
