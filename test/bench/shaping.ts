/**
 * The CPU of what shapes a call, where nothing of it is configured and with each of it alone: from the record to the meter,
 * around a provider that answers without doing anything, beside the same stack built without these layers. A process of
 * its own; a message asks it for one round.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { emptyTally } from "../../src/core/begin.ts";
import type { AttemptCall, Layer, Service } from "../../src/core/call.ts";
import { systemClock } from "../../src/core/clock.ts";
import { type Batch, event, type Reply } from "../../src/core/reply.ts";
import { UnderWay } from "../../src/core/under-way.ts";
import { usage } from "../../src/core/usage.ts";
import { openExperiments } from "../../src/experimenting.ts";
import { deadline } from "../../src/layers/deadline.ts";
import { meter } from "../../src/layers/meter.ts";
import { moderate } from "../../src/layers/moderate.ts";
import { record } from "../../src/layers/record.ts";
import { template } from "../../src/layers/template.ts";
import { moderatingOf } from "../../src/moderating.ts";
import { openStore } from "../../src/store/store.ts";
import { Templates } from "../../src/templates/templates.ts";
import { booking, varied } from "../../src/varied.ts";
import { type CallInit, callOf } from "../support/call.ts";
import { accountsOf } from "../support/means.ts";
import { MESSAGES } from "./load.ts";
import { configOf, silentSignals, stackOf } from "./stack.ts";

/** Microseconds a call, by what is configured; `without` is the stack that has no place for any of it. */
export interface ShapingCosts {
  readonly without: number;
  /** The same stack, built again: by how much it differs is noise. */
  readonly again: number;
  readonly byDefault: number;
  readonly templatesUnused: number;
  readonly template: number;
  readonly moderation: number;
  readonly experiment: number;
  /** With the copy of each call, and its comparison. */
  readonly shadow: number;
  /** The layers as they are by default around nothing at all, less that. */
  readonly alone: number;
}

const LOOPS = 6_000;
/** Of what costs several times as much. */
const DEAR_LOOPS = 1_200;
/** In turns, so that what is neighbour to what does not matter; the least counts, to which others' work added least. */
const TURNS = 6;
/** To so many places further on, so that neighbours are others each time. */
const STRIDES = [1, 3, 5, 7];
/** What is so short is measured longer. */
const ALONE_LOOPS = 60_000;

const TEMPLATES = {
  templates: {
    brief: {
      messages: [
        { role: "system", content: "{{opening}}" },
        { role: "user", content: "{{question}}" },
      ],
    },
  },
};
const MODERATION = { moderation: { hooks: ["pii", "secrets"].map((kind) => ({ name: kind, kind })) } };
const EXPERIMENT = {
  all: true,
  sticky_by: "none",
  variants: ["one", "other"].map((name, temperature) => ({
    name,
    model: "openai/gpt-4o",
    parameters: { temperature },
  })),
};
const SHADOW = { name: "copy", model: "openai/gpt-4o", max_cost_per_hour: 1e6, max_per_minute: 10_000 };

const PARAMETERS = { model: "openai/gpt-4o", parameters: { maxTokens: 200 } };
const WRITTEN = { ...PARAMETERS, messages: MESSAGES };
const [system, user] = MESSAGES.map(({ content }) => content);
const NAMED = {
  ...PARAMETERS,
  template: "brief",
  variables: { opening: system ?? "", question: user ?? "" },
};

const folder = mkdtempSync(join(tmpdir(), "llmgateway-bench-"));
const store = await openStore({ dataDir: folder, instance: "bench", onDeath: fail });
const clock = systemClock;
/** On which calls are so far from each other that each may be copied, however fast they are made here. */
let nowMs = 0;
const slow = { ...systemClock, now: () => (nowMs += 10) };
const signals = silentSignals();
const answered: Service<AttemptCall> = async ({ attempt }) => {
  attempt.usage = usage("measured", { inputTokens: 120, outputTokens: 130 });
  return { events: answer() };
};

interface Run {
  readonly service: Service;
  readonly request: NonNullable<CallInit["request"]>;
  readonly underWay: UnderWay;
}

const runs: Readonly<Record<Exclude<keyof ShapingCosts, "alone">, Run>> = {
  without: await runOf({}, WRITTEN, false),
  again: await runOf({}, WRITTEN, false),
  byDefault: await runOf({}, WRITTEN),
  templatesUnused: await runOf(TEMPLATES, WRITTEN),
  template: await runOf(TEMPLATES, NAMED),
  moderation: await runOf(MODERATION, WRITTEN),
  experiment: await runOf({ experiments: { trial: EXPERIMENT } }, WRITTEN),
  shadow: await runOf({ experiments: { trial: { ...EXPERIMENT, shadows: [SHADOW] } } }, WRITTEN),
};
const bare: Service = async () => ({ events: answer() });
const around = (await layersOf({}, new UnderWay())).layer(bare);

// What is compiled late would be charged to whoever comes first.
for (let round = 0; round < 2; round++) await measureAll();
process.on("disconnect", () => {
  rmSync(folder, { recursive: true });
  process.exit();
});
process.on("message", async () => process.send?.(await measureAll()));
process.send?.({});

async function measureAll(): Promise<ShapingCosts> {
  const names = Object.keys(runs) as (keyof typeof runs)[];
  const turns = new Map<string, number[]>([...names, "bare", "around"].map((name) => [name, []]));
  for (let turn = 0; turn < TURNS; turn++) {
    const stride = STRIDES[turn % STRIDES.length] ?? 1;
    for (const at of names.keys()) {
      const name = names[(at * stride + turn) % names.length] as keyof typeof runs;
      const loops = name === "moderation" || name === "shadow" ? DEAR_LOOPS : LOOPS;
      turns.get(name)?.push(await cpuMicros(runs[name], loops / TURNS));
    }
    const alone = { request: WRITTEN, underWay: new UnderWay() };
    for (const [name, service] of Object.entries({ bare, around }))
      turns.get(name)?.push(await cpuMicros({ ...alone, service }, ALONE_LOOPS / TURNS));
  }
  const least = (name: string) => Math.min(...(turns.get(name) ?? []));
  const costs = Object.fromEntries(names.map((name) => [name, least(name)])) as Omit<ShapingCosts, "alone">;
  return { ...costs, alone: least("around") - least("bare") };
}

async function cpuMicros({ service, request, underWay }: Run, loops: number): Promise<number> {
  const asked = callOf({ request, streaming: false });
  const before = process.cpuUsage();
  for (let loop = 0; loop < loops; loop++) {
    // Kept by nobody once it is over, as calls are.
    const { events } = await service({ ...asked, signal: new AbortController().signal, tally: emptyTally() });
    for await (const _ of events) {
      // It is read for what reading does.
    }
  }
  await underWay.none();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / loops;
}

async function runOf(given: object, request: Run["request"], isShaped = true): Promise<Run> {
  const underWay = new UnderWay();
  const { config, layer, settled } = await layersOf(given, underWay);
  const below = stackOf(config).policies(meter(accountsOf(clock))(answered));
  const shaped = isShaped ? layer(below) : below;
  return { service: record(signals, clock, settled, underWay)(deadline(clock)(shaped)), request, underWay };
}

/** As the gateway puts them around what answers, but for the keys and the caches between them. */
async function layersOf(given: object, underWay: UnderWay) {
  const config = configOf(folder, given);
  const around = { signals: silentSignals(), clock };
  const moderating = moderatingOf(config, { ...around, env: {} });
  const moderated: Layer = moderating.hooks.length > 0 ? moderate(moderating) : (next) => next;
  const made = template(new Templates(config.templates), { maxLength: config.server.maxBodyBytes });
  const experiments = await openExperiments(config, { ...around, store, clock: slow });
  const books = { ledger: undefined };
  const layer: Layer = (next) =>
    made(moderated(varied(config, next, next, underWay, { ...around, books, experiments })));
  return { config, layer, settled: booking(books, experiments) };
}

async function* answer(): Reply["events"] & AsyncGenerator<Batch> {
  yield [
    event({ token: "An answer of some words. ".repeat(20), finishReason: "stop" }),
    event({ done: true }),
  ];
}

function fail(reason: unknown): never {
  throw new Error(String(reason));
}
