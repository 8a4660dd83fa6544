/**
 * `npm run bench`: the CPU of the gateway for each call, as a ratio to a bare
 * proxy's in the same interleaved run; then what jobs cost. `--quick` is a short run, for CI, and `--jobs` the jobs alone.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { parseArgs } from "node:util";
import type { AdapterCost, AdapterCosts } from "./adapters.ts";
import { benchJobs } from "./jobs.ts";
import { load, type Scenario, scenarios } from "./load.ts";
import type { MoneyCosts } from "./money.ts";
import type { PolicyCosts, Sizes } from "./policies.ts";
import type { ShapingCosts } from "./shaping.ts";

const TARGETS: Readonly<Record<string, number>> = {
  "REST JSON chat": 2.0,
  "REST JSON chat, cached": 0.8,
  "SSE stream": 2.5,
  "SSE stream, cached": 0.5,
};
/** What the measure of a unit is called. */
const BASES: Readonly<Record<string, string>> = { call: "bare", "stream of 100 chunks": "raw" };
/** Of each adapter by itself: in bare for a call, in raw chunks for a chunk. */
const ADAPTER_TARGETS = { call: 0.25, chunk: 1.5 };
/** Of money and ledger together, in bare for a call. */
const MONEY_TARGET = 0.25;
/** Of all policies together, in bare for a call; and how much dearer the router is where there is more to go by. */
const POLICIES_TARGET = 0.1;
const ROUTES_TARGET = 1.2;
/** Of what is there to shape calls where nothing is configured, in bare for a call. */
const OFF_TARGET = 0.01;

const { values: options } = parseArgs({
  options: { quick: { type: "boolean", default: false }, jobs: { type: "boolean", default: false } },
});
if (options.jobs) {
  await benchJobs();
  process.exit();
}
const rounds = options.quick ? 1 : 8;
const callsOf = ({ unit, unitsPerCall }: Scenario) =>
  (unit === "call" ? 3_000 : unitsPerCall === 1 ? 500 : 100) / (options.quick ? 3 : 1);

const upstream = await spawn("upstream");
const bare = await spawn("bare", upstream.url);
const gateway = await spawn("gateway", upstream.url);
const cached = await spawn("cached", upstream.url);
const [adapters, money, policies, shaping] = await Promise.all([
  begin("adapters"),
  begin("money"),
  begin("policies"),
  begin("shaping"),
]);
const all = scenarios(bare.url, gateway.url, cached.url);
const samples = new Map<Scenario, number[]>(all.map((scenario) => [scenario, []]));
const adapterSamples: AdapterCosts[] = [];
const moneySamples: MoneyCosts[] = [];
const policySamples: PolicyCosts[] = [];
const shapingSamples: ShapingCosts[] = [];

// What is compiled late would be charged to whoever comes first.
for (const scenario of all) await load(scenario, Math.ceil(callsOf(scenario)));
for (let round = 0; round < rounds; round++) {
  for (const scenario of all) samples.get(scenario)?.push(await measure(scenario));
  adapterSamples.push(await roundOf(adapters));
  moneySamples.push(await roundOf(money));
  policySamples.push(await roundOf(policies));
  shapingSamples.push(await roundOf(shaping));
}
const bases = print();
printAdapters(bases);
printMoney(bases);
printPolicies(bases);
printShaping(bases);
const servers = [gateway, cached, bare, upstream].map(({ child }) => child);
for (const child of [...servers, adapters, money, policies, shaping]) child.kill();
if (!options.quick) await benchJobs();

async function measure(scenario: Scenario): Promise<number> {
  const { child } = { bare, gateway, cached }[scenario.server];
  const count = Math.ceil(callsOf(scenario));
  const before = await cpuMicros(child);
  await load(scenario, count);
  return ((await cpuMicros(child)) - before) / (count * scenario.unitsPerCall);
}

/** What measures parts by themselves. */
async function begin(parts: "adapters" | "money" | "policies" | "shaping"): Promise<ChildProcess> {
  const child = fork(new URL(`${parts}.ts`, import.meta.url), {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  await once(child, "message");
  return child;
}

async function roundOf<Costs>(child: ChildProcess): Promise<Costs> {
  child.send("round");
  const [costs] = await once(child, "message");
  return costs;
}

async function cpuMicros(child: ChildProcess): Promise<number> {
  child.send("cpu");
  const [{ cpuMicros }] = await once(child, "message");
  return cpuMicros;
}

async function spawn(role: string, upstreamUrl = ""): Promise<{ child: ChildProcess; url: string }> {
  const child = fork(new URL("child.ts", import.meta.url), [role, upstreamUrl], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const [{ url }] = await once(child, "message");
  return { child, url };
}

/** Gives what each unit costs the bare proxy. */
function print(): ReadonlyMap<string, number> {
  const base = new Map<string, number>();
  process.stdout.write("| scenario | CPU | ratio | target |\n|---|---|---|---|\n");
  for (const [scenario, values] of samples) {
    const micros = median(values);
    if (scenario.server === "bare") base.set(scenario.unit, micros);
    const ratio = micros / (base.get(scenario.unit) ?? Number.NaN);
    const target = TARGETS[scenario.name];
    const verdict = target === undefined ? "" : verdictOf(ratio, target);
    process.stdout.write(
      `| ${scenario.name} | ${micros.toFixed(1)} µs a ${scenario.unit} | ${ratio.toFixed(2)} ${BASES[scenario.unit] ?? "raw chunk"} | ${verdict} |\n`,
    );
  }
  return base;
}

function printAdapters(bases: ReadonlyMap<string, number>): void {
  const columns = ["encode", "decode", "classify", "credentials"] as const;
  process.stdout.write(
    `\n| adapter | ${columns.join(" | ")} | sum a call | target | a chunk | target |\n|---|---|---|---|---|---|---|---|---|\n`,
  );
  for (const name of Object.keys(adapterSamples[0] ?? {})) {
    const cost = (part: keyof AdapterCost) =>
      median(adapterSamples.map((costs) => costs[name]?.[part] ?? Number.NaN));
    const micros = columns.map(cost);
    const call = micros.reduce((sum, one) => sum + one, 0) / (bases.get("call") ?? Number.NaN);
    const chunk = cost("chunk") / (bases.get("chunk") ?? Number.NaN);
    const cells = [
      ...micros.map((one) => `${one.toFixed(1)} µs`),
      `${call.toFixed(2)} bare`,
      verdictOf(call, ADAPTER_TARGETS.call),
      `${chunk.toFixed(2)} raw chunk`,
      verdictOf(chunk, ADAPTER_TARGETS.chunk),
    ];
    process.stdout.write(`| ${name} | ${cells.join(" | ")} |\n`);
  }
}

function printMoney(bases: ReadonlyMap<string, number>): void {
  const line = (name: string, part: (costs: MoneyCosts) => number, target?: number) =>
    printCall(name, median(moneySamples.map(part)), bases, target);
  process.stdout.write("\n| money | CPU | ratio | target |\n|---|---|---|---|\n");
  line("prices and a hard budget", ({ money }) => money);
  line("ledger alone", ({ ledger }) => ledger);
  line("ledger alone, waited for", ({ safeLedger }) => safeLedger);
  line("money and ledger", ({ money, ledger }) => money + ledger, MONEY_TARGET);
  line("money and ledger, waited for", ({ money, safeLedger }) => money + safeLedger, MONEY_TARGET);
}

function printPolicies(bases: ReadonlyMap<string, number>): void {
  const line = (name: string, part: (costs: PolicyCosts) => number) =>
    printCall(name, median(policySamples.map(part)), bases, POLICIES_TARGET);
  process.stdout.write("\n| policies | CPU | ratio | target |\n|---|---|---|---|\n");
  line("by default", ({ usual }) => usual);
  line("with limits and hedging", ({ limited }) => limited);
  line("with an alias and a chain besides", ({ routed }) => routed);
  const sizes = (name: string, part: (costs: PolicyCosts) => Sizes, target?: number) => {
    const micros = median(policySamples.map((costs) => part(costs).many));
    const ratio = median(policySamples.map((costs) => part(costs).many / part(costs).few));
    const verdict = target === undefined ? "" : verdictOf(ratio, target);
    process.stdout.write(
      `| ${name} | ${micros.toFixed(1)} µs a call | ${ratio.toFixed(2)} times | ${verdict} |\n`,
    );
  };
  sizes("router: 1,000 routes to 100 targets, beside 10 to 10", ({ router }) => router, ROUTES_TARGET);
  sizes("all: 1,000 routes to 100 targets, beside 10 to 10", ({ whole }) => whole, ROUTES_TARGET);
  sizes("router: an alias of 100 targets, beside one of 10", ({ wide }) => wide);
}

function printShaping(bases: ReadonlyMap<string, number>): void {
  process.stdout.write(
    "\n| shaping | CPU | ratio | beside the stack without | target |\n|---|---|---|---|---|\n",
  );
  const microsOf = (part: keyof ShapingCosts) => median(shapingSamples.map((costs) => costs[part]));
  const line = (name: string, part: keyof ShapingCosts) => {
    const micros = microsOf(part);
    const ratio = micros / (bases.get("call") ?? Number.NaN);
    const beside = micros / microsOf("without");
    process.stdout.write(
      `| ${name} | ${micros.toFixed(1)} µs a call | ${ratio.toFixed(2)} bare | ${beside.toFixed(2)} times | |\n`,
    );
  };
  line("a stack without such layers", "without");
  line("the same, built again", "again");
  line("by default: with them, and nothing configured", "byDefault");
  line("templates that the call does not name", "templatesUnused");
  line("a template", "template");
  line("moderation: personal data and secrets", "moderation");
  line("an experiment", "experiment");
  line("an experiment, and a copy of each call", "shadow");
  const alone = microsOf("alone");
  const ratio = alone / (bases.get("call") ?? Number.NaN);
  process.stdout.write(
    `| the default's layers by themselves | ${alone.toFixed(2)} µs a call | ${ratio.toFixed(3)} bare | | ${verdictOf(ratio, OFF_TARGET)} |\n`,
  );
}

function printCall(name: string, micros: number, bases: ReadonlyMap<string, number>, target?: number): void {
  const ratio = micros / (bases.get("call") ?? Number.NaN);
  const verdict = target === undefined ? "" : verdictOf(ratio, target);
  process.stdout.write(
    `| ${name} | ${micros.toFixed(1)} µs a call | ${ratio.toFixed(2)} bare | ${verdict} |\n`,
  );
}

function verdictOf(ratio: number, target: number): string {
  return `at most ${target < 1 ? target : target.toFixed(1)}: ${ratio <= target ? "met" : "missed"}`;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
