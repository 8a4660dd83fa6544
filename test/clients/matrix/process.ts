/** A program that a person would call the gateway with: its output as it comes, cut into what it is made of. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";

export interface Program {
  readonly child: ChildProcess;
  readonly output: AsyncIterable<Buffer>;
  /** What it says on standard error, and its exit status, once it has ended. */
  readonly ended: Promise<{ readonly status: number | null; readonly errors: string }>;
}

export function isInstalled(program: string, flag = "--version"): boolean {
  return spawnSync(program, [flag]).error === undefined;
}

export function start(program: string, args: readonly string[], input: string | Buffer = ""): Program {
  const child = spawn(program, args, { timeout: 30_000 });
  child.stdin.end(input);
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors += text;
  });
  const ended = once(child, "close").then(([status]) => ({ status: status as number | null, errors }));
  return { child, output: child.stdout, ended };
}

/** Its whole output. Rejects when it fails. */
export async function outputOf(program: string, args: readonly string[], input?: string): Promise<string> {
  const running = start(program, args, input);
  const pieces = await Array.fromAsync(running.output);
  const { status, errors } = await running.ended;
  if (status !== 0) throw new Error(`${program} ended with ${status}: ${errors}`);
  return Buffer.concat(pieces).toString();
}

/** Lines without their ends. */
export async function* lines(output: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let rest = "";
  for await (const piece of output) {
    const parts = (rest + piece.toString()).split("\n");
    rest = parts.pop() ?? "";
    yield* parts;
  }
  if (rest) yield rest;
}

/** JSON objects that are printed one behind the other, each over several lines. */
export async function* jsonObjects(output: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let object = "";
  for await (const line of lines(output)) {
    object += line;
    if (line !== "}") continue;
    yield object;
    object = "";
  }
}

/** Messages in Connect's envelopes, without the one that ends a stream. */
export async function* envelopes(output: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let bytes: Buffer = Buffer.alloc(0);
  for await (const piece of output) {
    bytes = Buffer.concat([bytes, piece]);
    while (bytes.length >= 5 && bytes.length >= 5 + bytes.readUInt32BE(1)) {
      const end = 5 + bytes.readUInt32BE(1);
      if (bytes[0] === 0) yield bytes.subarray(5, end).toString();
      bytes = bytes.subarray(end);
    }
  }
}
