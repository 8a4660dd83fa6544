/** A gateway as its users start it: a process of its own, with nothing but its environment. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { COMPILE_CACHE } from "./compile-cache.ts";

const CHECKOUT = join(import.meta.dirname, "..", "..");

export interface GatewayProcess extends AsyncDisposable {
  readonly url: string;
  /** Standard output so far, by lines. */
  readonly lines: readonly string[];
  /** Asks what was preloaded into it, such as the probe, and gives the answer; for its figures by default. */
  ask(question?: string): Promise<unknown>;
  /** Drains it as an operator would. Resolves with its exit code, once all that it wrote is in `lines`. */
  stop(): Promise<number | null>;
}

/**
 * @param nodeOptions for the process, before the script
 * @param checkout where its sources are; this one by default
 */
export async function startProcess(
  env: Readonly<Record<string, string>>,
  nodeOptions: readonly string[] = [],
  checkout = CHECKOUT,
): Promise<GatewayProcess> {
  const folder = mkdtempSync(join(tmpdir(), "llmgateway-process-"));
  const child = spawn(process.execPath, [...nodeOptions, join(checkout, "src", "main.ts")], {
    env: { ...COMPILE_CACHE, PORT: "0", LLMGATEWAY_DATA_DIR: join(folder, "data"), ...env },
    stdio: ["ignore", "pipe", "inherit", "ipc"],
  });
  const lines: string[] = [];
  const closed = once(child, "close");
  const port = await portOf(child, lines);
  return {
    url: `http://127.0.0.1:${port}`,
    lines,
    async ask(question = "figures") {
      const answer = once(child, "message");
      child.send(question);
      return (await answer)[0];
    },
    async stop() {
      child.kill("SIGTERM");
      await closed;
      return child.exitCode;
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null) child.kill("SIGKILL");
      await closed;
      rmSync(folder, { recursive: true });
    },
  };
}

/** From the log, which tells it once the gateway listens. */
function portOf(child: ChildProcess, lines: string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once("exit", (code) => reject(new Error(`the gateway ended with ${code} before it listened`)));
    if (!child.stdout) return reject(new Error("there is no output to read"));
    createInterface(child.stdout).on("line", (line) => {
      lines.push(line);
      const event = JSON.parse(line);
      if (event.msg === "listening") resolve(event.port);
    });
  });
}
