/**
 * A reader's terminal: a folder that looks like the checkout, in which commands run and a gateway is started. Files
 * that a guide writes stay in it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { COMPILE_CACHE } from "../support/compile-cache.ts";
import { freePort } from "../support/free-port.ts";

export interface Finished {
  readonly status: number | null;
  /** Standard output and standard error as they came. */
  readonly output: string;
}

/** The guides write the default port; here each shell has one of its own. */
const WRITTEN_ADDRESS = /(localhost|127\.0\.0\.1):8080/g;
const STARTS_WITHIN_MS = 20_000;

export class Shell implements AsyncDisposable {
  readonly port: number;
  private readonly folder: string;
  private readonly env: Record<string, string>;
  private server: { child: ChildProcess; output: string } | undefined;

  static async open(checkout: string, emulatorUrl: string): Promise<Shell> {
    const folder = mkdtempSync(join(tmpdir(), "llmgateway-docs-"));
    // A gateway's ledger would have guides begin with what was spent before.
    const names = readdirSync(checkout).filter((name) => name !== "data");
    for (const name of names) symlinkSync(join(checkout, name), join(folder, name));
    return new Shell(folder, checkout, await freePort(), emulatorUrl);
  }

  private constructor(folder: string, checkout: string, port: number, emulatorUrl: string) {
    this.folder = folder;
    this.port = port;
    const tools = [`${checkout}/.cache/bin`, `${checkout}/node_modules/.bin`, process.env.PATH ?? ""];
    this.env = {
      ...COMPILE_CACHE,
      PATH: tools.join(":"),
      HOME: process.env.HOME ?? folder,
      HOST: "127.0.0.1",
      PORT: String(port),
      OPENAI_BASE_URL: `${emulatorUrl}/v1`,
      LLMGATEWAY_URL: `http://127.0.0.1:${port}`,
    };
  }

  write(name: string, text: string): string {
    const path = join(this.folder, name);
    writeFileSync(path, this.localised(text));
    return path;
  }

  async run(command: string): Promise<Finished> {
    const child = this.spawn(command);
    let output = "";
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
    const [status] = await once(child, "close");
    return { status, output };
  }

  /** Resolves once the port answers. What ran before is stopped. */
  async serve(command: string): Promise<void> {
    await this.stop();
    const server = { child: this.spawn(command), output: "" };
    this.server = server;
    server.child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      server.output += text;
    });
    await this.until(() => answers(this.port), command);
  }

  /** Why nobody answers, where the server has ended. */
  get end(): string {
    const { child, output } = this.server ?? {};
    const status = child?.exitCode ?? child?.signalCode;
    return status === null || status === undefined ? "" : `the server ended with ${status}:\n${output}`;
  }

  /** What the server has printed, once it is as wanted. */
  async served(isComplete: (output: string) => boolean): Promise<string> {
    await this.until(async () => isComplete(this.server?.output ?? ""), "its output").catch(() => {});
    return this.server?.output ?? "";
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    rmSync(this.folder, { recursive: true });
  }

  private async stop(): Promise<void> {
    const child = this.server?.child;
    this.server = undefined;
    if (child?.pid === undefined || child.exitCode !== null) return;
    const closed = once(child, "close");
    // The group: npm's shell, npm, and the gateway below them.
    process.kill(-child.pid, "SIGTERM");
    await closed;
  }

  private spawn(command: string): ChildProcess {
    return spawn("bash", ["-c", `set -euo pipefail\nexec 2>&1\n${this.localised(command)}`], {
      cwd: this.folder,
      env: this.env,
      stdio: ["ignore", "pipe", "ignore"],
      detached: true,
    });
  }

  private localised(text: string): string {
    return text.replaceAll(WRITTEN_ADDRESS, `$1:${this.port}`);
  }

  private async until(isSo: () => Promise<boolean>, what: string): Promise<void> {
    for (const start = Date.now(); Date.now() - start < STARTS_WITHIN_MS; await setTimeout(50)) {
      if (await isSo()) return;
      if (this.end) throw new Error(`waited in vain for ${what}: ${this.end}`);
    }
    throw new Error(`waited in vain for ${what}:\n${this.server?.output}`);
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("connect", () => resolve(true)).on("error", () => resolve(false));
    socket.on("connect", () => socket.destroy());
  });
}
