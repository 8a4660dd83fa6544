/**
 * The CPU of all policies together on a call that succeeds at once: from the router to the stream guard, as the
 * configuration has them, around a provider that answers without doing anything. A process of its own; a message asks
 * it for one round.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadConfig } from "../../src/config/load.ts";
import { emptyTally } from "../../src/core/begin.ts";
import { type Batch, event } from "../../src/core/reply.ts";
import { loadCatalog } from "../../src/cost/catalog.ts";
import { callOf, TARGET } from "../support/call.ts";
import { MESSAGES } from "./load.ts";
import { configOf, PROVIDERS, type Stack, stackOf } from "./stack.ts";

/** Microseconds a call. */
export interface PolicyCosts {
  /** As they come by default. */
  readonly usual: number;
  /** With limits and hedging besides. */
  readonly limited: number;
  /** And with an alias and a chain to go by. */
  readonly routed: number;
  /** Of the last, with 10 routes to 10 targets, and with 1,000 to 100: the router alone, and all of it. */
  readonly router: Sizes;
  readonly whole: Sizes;
  /** The router where all of 10 or of 100 targets are of the one alias that is called. */
  readonly wide: Sizes;
}

export interface Sizes {
  readonly few: number;
  readonly many: number;
}

const LOOPS = 25_000;
/** In turns, so that what is neighbour to what does not matter. */
const TURNS = 5;
const LIMITED = {
  resilience: {
    limit: { max_in_flight: 1_000 },
    // Answers come sooner, as nearly all do.
    hedging: { enabled: true, delay: "10s" },
  },
};
const CHAIN = { fallback_chains: { default: ["gemini/gemini-2.5-flash", "bedrock"] } };
const folder = mkdtempSync(join(tmpdir(), "llmgateway-bench-"));
const chats = chatModels();

const bare: Stack = (service) => (call) =>
  service({ ...call, target: TARGET, trigger: "first", alternatives: [] });
const usual = measured({});
const limited = measured(LIMITED);
const routed = measured({ ...LIMITED, ...CHAIN, ...aliases(1, 3, 3) });
const few = measured({ ...LIMITED, ...CHAIN, ...aliases(10, 3, 10) });
const many = measured({ ...LIMITED, ...CHAIN, ...aliases(1_000, 3, 100) });
const wideFew = measured(aliases(1, 10, 10));
const wideMany = measured(aliases(1, 100, 100));

// What is compiled late would be charged to whoever comes first.
for (let round = 0; round < 4; round++) await measureAll();
process.on("disconnect", () => {
  rmSync(folder, { recursive: true });
  process.exit();
});
process.on("message", async () => process.send?.(await measureAll()));
process.send?.({});

async function measureAll(): Promise<PolicyCosts> {
  const stacks: readonly (readonly [stack: Stack, model?: string])[] = [
    [bare],
    [usual.policies],
    [limited.policies],
    [routed.policies, "route-0"],
    [few.router, "route-0"],
    [many.router, "route-0"],
    [few.policies, "route-0"],
    [many.policies, "route-0"],
    [wideFew.router, "route-0"],
    [wideMany.router, "route-0"],
  ];
  const sums = stacks.map(() => 0);
  for (let turn = 0; turn < TURNS; turn++)
    for (const [at, [stack, model]] of stacks.entries())
      sums[at] = (sums[at] ?? 0) + (await cpuMicros(stack, model)) / TURNS;
  const beside = (at: number) => (sums[at] ?? Number.NaN) - (sums[0] ?? Number.NaN);
  const sizes = (at: number) => ({ few: beside(at), many: beside(at + 1) });
  const [usualCost, limitedCost, routedCost] = [beside(1), beside(2), beside(3)];
  return {
    usual: usualCost,
    limited: limitedCost,
    routed: routedCost,
    router: sizes(4),
    whole: sizes(6),
    wide: sizes(8),
  };
}

async function cpuMicros(stack: Stack, model = "openai/gpt-4o"): Promise<number> {
  const service = stack(async () => ({ events: answer() }));
  const request = { model, messages: MESSAGES, parameters: { maxTokens: 200 } };
  const asked = callOf({ request, streaming: false });
  const before = process.cpuUsage();
  for (let loop = 0; loop < LOOPS / TURNS; loop++) {
    // Kept by nobody once it is over, as calls are.
    const call = { ...asked, signal: new AbortController().signal, tally: emptyTally() };
    const { events } = await service(call);
    for await (const _ of events) {
      // It is read for what reading does.
    }
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / (LOOPS / TURNS);
}

async function* answer(): AsyncGenerator<Batch> {
  yield [event({ token: "An answer of some words.", finishReason: "stop" }), event({ done: true })];
}

/** So many aliases of so many targets each, all in all among so many. */
function aliases(count: number, each: number, targets: number): object {
  const targetsOf = (alias: number) =>
    Array.from({ length: each }, (_, at) => ({
      target: chats[(alias * each + at) % targets],
      weight: each - at,
    }));
  const made = Array.from({ length: count }, (_, at) => [`route-${at}`, { targets: targetsOf(at) }]);
  return { aliases: Object.fromEntries(made) };
}

function chatModels(): string[] {
  const { catalogPath } = loadConfig({ env: {} }).prices;
  return loadCatalog(readFileSync(catalogPath, "utf8"), catalogPath)
    .models()
    .filter(({ provider, capabilities }) => PROVIDERS.includes(provider) && capabilities?.chat !== false)
    .map(({ provider, model }) => `${provider}/${model}`);
}

function measured(given: object) {
  return stackOf(configOf(folder, given));
}
