/**
 * `npm run bench`: the CPU of the gateway for each call, as a ratio to a bare
 * proxy's in the same interleaved run. `--quick` is a short run, for CI.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { parseArgs } from "node:util";
import { load, type Scenario, scenarios } from "./load.ts";

const TARGETS: Readonly<Record<string, number>> = { "REST JSON chat": 2.0, "SSE stream": 2.5 };

const { values: options } = parseArgs({ options: { quick: { type: "boolean", default: false } } });
const rounds = options.quick ? 3 : 8;
const callsOf = ({ unit }: Scenario) => (unit === "call" ? 3_000 : 100) / (options.quick ? 3 : 1);

const upstream = await spawn("upstream");
const bare = await spawn("bare", upstream.url);
const gateway = await spawn("gateway", upstream.url);
const all = scenarios(bare.url, gateway.url);
const samples = new Map<Scenario, number[]>(all.map((scenario) => [scenario, []]));

// What is compiled late would be charged to whoever comes first.
for (const scenario of all) await load(scenario, Math.ceil(callsOf(scenario)));
for (let round = 0; round < rounds; round++) {
  for (const scenario of all) samples.get(scenario)?.push(await measure(scenario));
}
print();
for (const { child } of [gateway, bare, upstream]) child.kill();

async function measure(scenario: Scenario): Promise<number> {
  const { child } = scenario.server === "bare" ? bare : gateway;
  const count = Math.ceil(callsOf(scenario));
  const before = await cpuMicros(child);
  await load(scenario, count);
  return ((await cpuMicros(child)) - before) / (count * scenario.unitsPerCall);
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

function print(): void {
  const base = new Map<string, number>();
  process.stdout.write("| scenario | CPU | ratio | target |\n|---|---|---|---|\n");
  for (const [scenario, values] of samples) {
    const micros = median(values);
    if (scenario.server === "bare") base.set(scenario.unit, micros);
    const ratio = micros / (base.get(scenario.unit) ?? Number.NaN);
    const target = TARGETS[scenario.name];
    const verdict =
      target === undefined ? "" : `at most ${target.toFixed(1)}: ${ratio <= target ? "met" : "missed"}`;
    process.stdout.write(
      `| ${scenario.name} | ${micros.toFixed(1)} µs a ${scenario.unit} | ${ratio.toFixed(2)} ${scenario.unit === "call" ? "bare" : "raw chunk"} | ${verdict} |\n`,
    );
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
