/** The emulator and a gateway before it, as their users start them: each a process of its own, on loopback. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { MeterTotals } from "../../src/emulator/meter.ts";
import type { GatewayProcess } from "../support/process.ts";
import type { Exchange } from "./exchanges.ts";

const COMMAND = join(import.meta.dirname, "..", "..", "clients", "cli", "main.ts");

export interface EmulatorProcess extends AsyncDisposable {
  readonly url: string;
  totals(): Promise<MeterTotals>;
  exchanges(): Promise<Exchange[]>;
}

/** @param options of the command line, such as `chaos` */
export async function startEmulatorProcess(
  options: Readonly<Record<string, number | string>> = {},
): Promise<EmulatorProcess> {
  const words = Object.entries({ port: 0, ...options }).map(([name, value]) => `--${name}=${value}`);
  const child = spawn(process.execPath, [COMMAND, "emulate", ...words], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const closed = once(child, "close");
  const url = await urlOf(child);
  const meter = async (limit: number) => {
    const reply = await fetch(`${url}/emulator/meter?limit=${limit}`);
    return (await reply.json()) as { totals: MeterTotals; requests: Exchange[] };
  };
  return {
    url,
    totals: async () => (await meter(0)).totals,
    exchanges: async () => (await meter(100_000)).requests,
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await closed;
    },
  };
}

/** From what it prints once it listens. */
function urlOf({ stdout }: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let printed = "";
    stdout?.setEncoding("utf8").on("data", (text: string) => {
      printed += text;
      const [, url] = /emulating OpenAI at (\S+)\/v1,/.exec(printed) ?? [];
      if (url) resolve(url);
    });
    stdout?.once("end", () => reject(new Error(`the emulator ended before it listened: ${printed}`)));
  });
}

/** What a scraper gets. */
export async function metricsOf({ url }: GatewayProcess): Promise<string> {
  return (await fetch(`${url}/v1/gateway/metrics`)).text();
}
