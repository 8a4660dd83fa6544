/** The command line as a child process, with its output and its end. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { COMPILE_CACHE } from "./compile-cache.ts";

const MAIN = fileURLToPath(new URL("../../clients/cli/main.ts", import.meta.url));

export interface Output {
  stdout: string;
  stderr: string;
}

export interface Run {
  readonly child: ChildProcess;
  readonly output: Output;
  /** Rejects when the program ends first. */
  until(isSo: (output: Output) => boolean): Promise<void>;
  end(): Promise<Output & { status: number | null }>;
}

/** The environment's own variables are left out: they could configure what is tested. */
export function start(...words: (string | Record<string, string>)[]): Run {
  const args = words.filter((word) => typeof word === "string");
  const env = Object.assign(
    { PATH: process.env.PATH ?? "", ...COMPILE_CACHE },
    ...words.filter((word) => typeof word !== "string"),
  );
  const child = spawn(process.execPath, [MAIN, ...args], { env, stdio: ["pipe", "pipe", "pipe"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  const output: Output = { stdout: "", stderr: "" };
  const closed = once(child, "close");
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (text: string) => {
      output[name] += text;
    });
  }
  return {
    child,
    output,
    until: (isSo) =>
      new Promise((resolve, reject) => {
        const look = () => isSo(output) && resolve();
        child.stdout.on("data", look);
        closed.then(([status]) =>
          reject(new Error(`ended with ${status}: ${output.stdout}${output.stderr}`)),
        );
      }),
    end: async () => {
      const [status] = await closed;
      return { ...output, status };
    },
  };
}
