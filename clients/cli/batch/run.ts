/** `llmgateway batch run`: a file of requests to a file of answers, once, however often it is interrupted. */
import { setTimeout } from "node:timers/promises";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { Gateway } from "../../typescript/src/node.ts";
import { GatewayError } from "../../typescript/src/node.ts";
import { isPassing } from "../../typescript/src/patience.ts";
import { call } from "../call.ts";
import { InputError } from "../input-error.ts";
import type { LaterOptions } from "../job-commands.ts";
import { Bar, spent } from "./bar.ts";
import { encodeResult } from "./completion.ts";
import { chunksOf, type Input, type Item, inspect, type Splitting } from "./input.ts";
import { Output, type Progress } from "./output.ts";

export interface BatchOptions extends LaterOptions, Splitting {
  readonly output: string;
}

const PAGE_SIZE = 500;
const LOOK_EVERY_MS = 500;
const LONGEST_WAIT_MS = 10_000;
/** A gateway that was away for so long may never come back. */
const GIVE_UP_AFTER_MS = 300_000;
const INTERRUPTED = 130;

/** Gives the exit status: 0 when every request was answered. */
export async function runBatch(path: string, options: BatchOptions): Promise<number> {
  const input = await inspect(path, options);
  const output = new Output(options.output, input);
  const bar = new Bar(input.customIds.size, output.tally.answered + output.tally.failed);
  let interrupted = false;
  const status = await call(options, async (gateway, signal) => {
    const run = new Run(gateway, signal, input, output, bar, options);
    await run.all(path).catch((error) => {
      interrupted = signal.aborted;
      if (!interrupted) throw error;
    });
  });
  bar.clear();
  output.close();
  return interrupted ? leave(output) : conclude(status, output, input);
}

function conclude(status: number, { tally }: Output, { customIds }: Input): number {
  const left = customIds.size - tally.answered - tally.failed;
  const unfinished = left > 0 ? `, ${left} not ended yet; give the command again to go on` : "";
  process.stderr.write(`${tally.answered} answered, ${tally.failed} failed, ${spent(tally)}${unfinished}\n`);
  return status || (tally.failed > 0 ? 1 : 0);
}

function leave({ batches, tally }: Output): number {
  const open = batches.flatMap((batch) => (batch && !batch.isDone ? [batch.batchId] : []));
  process.stderr.write(
    [
      `interrupted after ${tally.answered + tally.failed}, ${spent(tally)}; give the command again to go on`,
      ...open.map((id) => `the gateway goes on; to end it: llmgateway batch cancel ${id}`),
      "",
    ].join("\n"),
  );
  return INTERRUPTED;
}

class Run {
  private readonly gateway: Gateway;
  private readonly signal: AbortSignal;
  private readonly input: Input;
  private readonly output: Output;
  private readonly bar: Bar;
  private readonly options: BatchOptions;

  constructor(
    gateway: Gateway,
    signal: AbortSignal,
    input: Input,
    output: Output,
    bar: Bar,
    options: BatchOptions,
  ) {
    this.gateway = gateway;
    this.signal = signal;
    this.input = input;
    this.output = output;
    this.bar = bar;
    this.options = options;
  }

  async all(path: string): Promise<void> {
    const { chunks } = this.input;
    if (chunks.some((_, chunk) => !this.output.batches[chunk])) await this.submitAll(path);
    while (this.open().length > 0) await this.collect();
  }

  private async submitAll(path: string): Promise<void> {
    let chunk = 0;
    for await (const items of chunksOf(path, this.input, this.options)) {
      if (!this.output.batches[chunk]) {
        const batchId = await this.submit(items, chunk);
        this.output.save(chunk, { batchId, pageToken: "", isDone: false });
        process.stderr.write(`batch ${batchId}: ${items.length} requests\n`);
      }
      chunk++;
    }
  }

  /** Sent again it is the same batch. Where the gateway's queue is full, results are fetched until it is not. */
  private async submit(items: readonly Item[], chunk: number): Promise<string> {
    const { callbackUrl, priority, runAt, startWithin } = this.options;
    const request = {
      requests: items.map(({ customId, request }) => ({ customId, request })),
      idempotencyKey: `batch-run-${this.input.fingerprint}-${chunk}`,
      ...(callbackUrl === undefined ? {} : { callbackUrl }),
      ...(priority === undefined ? {} : { priority }),
      ...(runAt === undefined ? {} : { runAt: timestampFromDate(runAt) }),
      ...(startWithin === undefined ? {} : { startWithinMs: BigInt(startWithin) }),
    };
    for (;;) {
      try {
        const { batchId } = await this.persist(() => this.gateway.submitBatch(request, this.bounds));
        return batchId;
      } catch (error) {
        if (!(error instanceof GatewayError)) throw error;
        if (error.violations.length > 0) throw wrongLines(error, items);
        if (error.kind !== "job_queue_full") throw error;
        if (this.open().length > 0) await this.collect();
        else await this.wait(LONGEST_WAIT_MS, "the gateway's queue is full of others' jobs; waiting\n");
      }
    }
  }

  private open(): [number, Progress][] {
    return this.output.batches.flatMap((batch, chunk): [number, Progress][] =>
      batch && !batch.isDone ? [[chunk, batch]] : [],
    );
  }

  /** Fetches a page of each batch that goes on, and waits when there was nothing. */
  private async collect(): Promise<void> {
    let found = 0;
    for (const [chunk, { batchId, pageToken }] of this.open()) {
      const page = await this.persist(() =>
        this.gateway.listBatchResults({ batchId, pageToken, pageSize: PAGE_SIZE }, this.bounds),
      );
      found += page.results.length;
      const progress = { batchId, pageToken: page.nextPageToken, isDone: page.nextPageToken === "" };
      if (page.results.length > 0 || progress.isDone)
        this.output.add(page.results.map(encodeResult), chunk, progress);
      this.bar.draw(this.output.tally);
    }
    if (found === 0 && this.open().length > 0) await this.wait(LOOK_EVERY_MS);
  }

  /** Waits for a gateway that is away. Throws every other failure. */
  private async persist<Reply>(once: () => Promise<Reply>): Promise<Reply> {
    const sinceMs = Date.now();
    for (let waits = 0; ; waits++) {
      try {
        return await once();
      } catch (error) {
        if (!(error instanceof GatewayError) || !isPassing(error)) throw error;
        // Nothing has begun yet: most likely there is no gateway at all.
        const isNew = this.output.batches.length === 0 && error.kind === "gateway_unreachable";
        if (isNew || Date.now() - sinceMs > GIVE_UP_AFTER_MS) throw error;
        await this.wait(error.retryAfterMs ?? Math.min(LOOK_EVERY_MS * 2 ** waits, LONGEST_WAIT_MS));
      }
    }
  }

  private get bounds() {
    return { signal: this.signal };
  }

  private wait(ms: number, why = ""): Promise<void> {
    process.stderr.write(why);
    return setTimeout(ms, undefined, { signal: this.signal });
  }
}

/** The gateway names requests by their place in the batch; whoever wrote the file knows them by their line. */
function wrongLines({ violations, message }: GatewayError, items: readonly Item[]): InputError {
  const lines = violations.map(({ field, description }) => {
    const [, index = "", rest = ""] = /^requests\[(\d+)\]\.?(.*)$/.exec(field) ?? [];
    const line = items[Number(index)]?.line;
    return index && line
      ? `line ${line}: ${rest.replace(/^request\./, "")}: ${description}`
      : `${field}: ${description}`;
  });
  return new InputError([message, ...lines].join("\n  "));
}
