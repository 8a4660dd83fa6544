/** The file of answers and, beside it, how far they have come; both survive being killed at any moment. */
import {
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { InputError } from "../input-error.ts";
import type { Input } from "./input.ts";

/** Of one chunk. */
export interface Progress {
  readonly batchId: string;
  /** Where its next results are; empty with `isDone` once there are none. */
  readonly pageToken: string;
  readonly isDone: boolean;
}

interface State {
  readonly fingerprint: string;
  readonly batches: readonly (Progress | null)[];
}

/** What is known of the requests that have ended. */
export interface Tally {
  answered: number;
  failed: number;
  picoUsd: bigint;
  /** Those whose cost is not known. */
  unpriced: number;
}

export class Output {
  readonly tally: Tally = { answered: 0, failed: 0, picoUsd: 0n, unpriced: 0 };
  readonly batches: (Progress | null)[];
  private readonly path: string;
  private readonly fingerprint: string;
  private readonly written = new Set<string>();
  private readonly file: number;

  /** Takes up what an earlier run left. Throws an InputError when it is of another input, or no place for answers. */
  constructor(path: string, { path: from, fingerprint, customIds }: Input) {
    this.path = path;
    this.fingerprint = fingerprint;
    try {
      // Before anything is cut off: what is half written of an input is a request.
      if (isSame(path, from)) throw new InputError(`${path}: is the input itself; give another --output`);
      this.batches = this.readState();
      this.readAnswers(customIds);
      this.file = openSync(path, "a");
    } catch (error) {
      if (error instanceof Error && "syscall" in error) throw new InputError(`${path}: ${error.message}`);
      throw error;
    }
  }

  get statePath(): string {
    return `${this.path}.state`;
  }

  /** Adds the lines whose request has none yet. They are on the disk before the state says so. */
  add(lines: readonly string[], chunk: number, progress: Progress): void {
    const fresh = lines.filter((line) => this.count(line));
    if (fresh.length > 0) {
      writeFileSync(this.file, fresh.map((line) => `${line}\n`).join(""), { flush: true });
    }
    this.save(chunk, progress);
  }

  save(chunk: number, progress: Progress): void {
    this.batches[chunk] = progress;
    const state: State = { fingerprint: this.fingerprint, batches: this.batches };
    writeFileSync(`${this.statePath}.new`, `${JSON.stringify(state)}\n`, { flush: true });
    renameSync(`${this.statePath}.new`, this.statePath);
  }

  close(): void {
    closeSync(this.file);
  }

  /** Whether the line is the first of its request. */
  private count(line: string): boolean {
    const { custom_id, response, llmgateway } = JSON.parse(line);
    if (this.written.has(custom_id)) return false;
    this.written.add(custom_id);
    if (response) this.tally.answered++;
    else this.tally.failed++;
    const pico = (response?.body?.llmgateway ?? llmgateway)?.cost_pico_usd;
    if (pico === undefined) this.tally.unpriced++;
    else this.tally.picoUsd += BigInt(pico);
    return true;
  }

  private readState(): (Progress | null)[] {
    if (!existsSync(this.statePath)) return [];
    const { fingerprint, batches } = JSON.parse(readFileSync(this.statePath, "utf8")) as State;
    if (fingerprint === this.fingerprint) return [...batches];
    throw new InputError(
      `${this.statePath}: is of another input or of other options; give another --output, or remove both files`,
    );
  }

  /** A line that was being written when the program was killed is written again. */
  private readAnswers(customIds: ReadonlySet<string>): void {
    if (!existsSync(this.path)) return;
    const content = readFileSync(this.path);
    const whole = content.subarray(0, content.lastIndexOf("\n") + 1);
    for (const [index, line] of whole.toString("utf8").split("\n").entries()) {
      if (line === "") continue;
      if (!customIds.has(idOf(line))) {
        throw new InputError(
          `${this.path}:${index + 1}: answers no request of the input; give another --output`,
        );
      }
      this.count(line);
    }
    truncateSync(this.path, whole.length);
  }
}

function isSame(path: string, other: string): boolean {
  const [one, two] = [path, other].map((name) => statSync(name, { throwIfNoEntry: false }));
  return one !== undefined && one.dev === two?.dev && one.ino === two.ino;
}

/** Whose answer it is; empty for a line that is none. */
function idOf(line: string): string {
  try {
    const { custom_id, response } = JSON.parse(line);
    return response === undefined ? "" : custom_id;
  } catch {
    return "";
  }
}
