/** Three providers, each an emulator of its own, one of them behind the proxy that hurts it, and a gateway before them. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, vi } from "vitest";
import { type Clock, systemClock } from "../../src/core/clock.ts";
import { type Emulator, type EmulatorOptions, startEmulator } from "../../src/emulator/server.ts";
import { type Gateway, startGateway } from "../../src/gateway.ts";
import type { Books } from "../money/books.ts";
import { readLedger } from "../money/sqlite.ts";
import { KEYS, providersAt } from "../support/emulated.ts";
import { readSamples } from "../support/exposition.ts";
import { CollectedLog } from "../support/gateway.ts";
import { FaultProxy } from "./proxy.ts";

/** The provider that is hurt comes first, and is the one that callers ask for. */
export const TARGETS = {
  openai: "openai/gpt-4o-mini",
  claude: "claude/claude-haiku-4-5",
  mistral: "mistral/mistral-small-latest",
} as const;

export type Provider = keyof typeof TARGETS;

export const SICK: Provider = "openai";

const PROVIDERS = Object.keys(TARGETS) as Provider[];

export interface WorldOptions {
  /** Of the gateway, besides the providers' addresses and timeouts. */
  readonly config?: object;
  readonly emulators?: EmulatorOptions;
  /** Where the sick provider is, when it is nowhere behind the proxy. */
  readonly sickAt?: string | undefined;
  readonly clock?: Clock;
}

/** Short, so that silence is found out soon; long beside what a busy machine takes for an answer. */
const TIMEOUTS = { connect: "0.5s", first_event: "0.7s", idle: "0.7s", total: "1s" };
/** About every call, and never in the way of one. */
const BUDGET = { name: "all", limit_usd: 1_000, per: "month", mode: "soft" };
const REST_MS = 10_000;

export class World implements AsyncDisposable {
  readonly emulators: Readonly<Record<Provider, Emulator>>;
  readonly proxy: FaultProxy;
  readonly gateway: Gateway;
  readonly log: CollectedLog;
  private readonly folder: string;

  static async start({ config, emulators: options = {}, sickAt, clock = systemClock }: WorldOptions = {}) {
    const [openai, claude, mistral] = await Promise.all([
      startEmulator(options),
      startEmulator(options),
      startEmulator(options),
    ]);
    const emulators = { openai, claude, mistral };
    const proxy = await FaultProxy.before(openai.url);
    const folder = mkdtempSync(join(tmpdir(), "llmgateway-faults-"));
    const file = join(folder, "config.yaml");
    const urls = { openai: sickAt ?? proxy.url, claude: claude.url, mistral: mistral.url };
    const providers = Object.fromEntries(
      PROVIDERS.map((name) => [name, { ...providersAt(urls[name])[name], timeouts: TIMEOUTS }]),
    );
    const ledger = { data_dir: join(folder, "data") };
    // JSON is YAML.
    writeFileSync(
      file,
      JSON.stringify({ server: { port: 0 }, ledger, providers, budgets: [BUDGET], ...config }),
    );
    const log = new CollectedLog();
    const env = {
      OPENAI_API_KEY: KEYS.OPENAI_API_KEY,
      ANTHROPIC_API_KEY: KEYS.ANTHROPIC_API_KEY,
      MISTRAL_API_KEY: KEYS.MISTRAL_API_KEY,
    };
    const gateway = await startGateway({ file, env, clock, logTo: log });
    return new World(emulators, proxy, gateway, log, folder);
  }

  private constructor(
    emulators: Readonly<Record<Provider, Emulator>>,
    proxy: FaultProxy,
    gateway: Gateway,
    log: CollectedLog,
    folder: string,
  ) {
    this.emulators = emulators;
    this.proxy = proxy;
    this.gateway = gateway;
    this.log = log;
    this.folder = folder;
  }

  get url(): string {
    return this.gateway.url;
  }

  get sick(): Emulator {
    return this.emulators[SICK];
  }

  async metrics(): Promise<string> {
    return (await fetch(`${this.url}/v1/gateway/metrics`)).text();
  }

  /** Waits until nothing is under way, ends the gateway, and gives the books that it left behind. */
  async books(receipts: Books["receipts"]): Promise<Books> {
    const all = Object.values(this.emulators);
    const rest = async () => {
      for (const { meter } of all) expect(meter.totals().open).toBe(0);
      expect(inFlight(await this.metrics())).toBe(0);
    };
    await vi.waitFor(rest, { timeout: REST_MS });
    const metrics = await this.metrics();
    // What waits to be written is written then.
    await this.gateway.close();
    const exchanges = all.flatMap(({ meter }) => meter.requests);
    return { exchanges, ...readLedger(join(this.folder, "data")), receipts, metrics };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.gateway.close();
    await this.proxy[Symbol.asyncDispose]();
    await Promise.all(Object.values(this.emulators).map((emulator) => emulator.close()));
    rmSync(this.folder, { recursive: true });
  }
}

function inFlight(metrics: string): number {
  const gauges = [...readSamples(metrics)].filter(([name]) => name.startsWith("llm_requests_in_flight"));
  return gauges.reduce((sum, [, value]) => sum + value, 0);
}
