/**
 * Calls that others may share while they are under way. Whoever makes one pays for it; the others are given the same
 * answer, unless a limit of the payer's own has a part in it. It knows keys, and not what they are made of.
 */
import type { Receipt } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import type { Call, Service } from "../core/call.ts";
import type { Clock } from "../core/clock.ts";
import { Failure, type FailureKind, toFailure } from "../core/failure.ts";
import { retold } from "../core/failure-anew.ts";
import type { PicoUsd } from "../core/money.ts";
import { costOfAnswer, receiptOf } from "../core/receipt.ts";
import { type Batch, event, type Reply } from "../core/reply.ts";
import { bare, stamped } from "./answer.ts";
import { Flight, type Waiter } from "./flight.ts";
import { lookupOf } from "./given.ts";

export interface FlightsOptions {
  /** Most bytes that are kept of an answer under way. */
  readonly maxBytes: number;
  readonly clock: Clock;
}

/** Told of an answer as it comes, before anybody is given it. */
export interface Recorder {
  /** @param atMs since the answer's first event */
  said(batch: Batch, atMs: number): void;
  /** It is the newest of its key, and this is what it came to. */
  whole(receipt: Receipt): void;
}

/** A call that is shared, and how far it has come. */
interface Course {
  readonly payer: Call;
  readonly flight: Flight;
  /** Once the answer is whole. */
  receipt: Receipt | undefined;
  /** What it cost by then; undefined when that is not known. */
  costPicoUsd: PicoUsd | undefined;
  /** Another one is what the next are to share. */
  replaced: boolean;
}

export class Flights {
  private readonly options: FlightsOptions;
  private readonly courses = new Map<string, Course>();

  constructor(options: FlightsOptions) {
    this.options = options;
  }

  /** How many can be joined. */
  get size(): number {
    return this.courses.size;
  }

  /**
   * Gives the call the answer that is under way.
   *
   * @returns undefined at once when there is none, so that nobody comes between who learns that and makes it; resolves
   *   to undefined when it turned out to be none for this call, which may then try again
   * @throws Failure of its own, or the same as everybody's
   */
  join(key: string, call: Call): Promise<Reply | undefined> | undefined {
    const course = this.courses.get(key);
    const waiter = course?.flight.join(call.signal);
    return course && waiter && new Shared(course, waiter, call).reply();
  }

  /**
   * Makes the call, and shares it with who joins.
   *
   * @param key undefined for one that nobody may join: what limits it limits nobody else
   */
  async lead(key: string | undefined, call: Call, next: Service, recorder: Recorder): Promise<Reply> {
    const course: Course = {
      payer: call,
      flight: new Flight({
        ...this.options,
        begin: (signal) => next(key === undefined ? { ...call, signal } : unhurried(call, signal)),
        took: (batch, atMs) => {
          recorder.said(batch, atMs);
          if (!batch.at(-1)?.done) return;
          course.receipt = receiptOf(call);
          course.costPicoUsd = costOfAnswer(call);
          if (!course.replaced) recorder.whole(course.receipt);
        },
        closed: () => {
          if (key !== undefined && this.courses.get(key) === course) this.courses.delete(key);
        },
      }),
      receipt: undefined,
      costPicoUsd: undefined,
      replaced: false,
    };
    const { flight } = course;
    // Before the call begins, so that nobody begins another meanwhile.
    if (key !== undefined) this.enter(key, course);
    const waiter = flight.join(call.signal) as Waiter;
    const events = paid(course, waiter);
    return { events: await begun(events) };
  }

  private enter(key: string, course: Course): void {
    const before = this.courses.get(key);
    if (before) before.replaced = true;
    this.courses.set(key, course);
  }
}

/** It outlasts its payer, whose time is no limit to the others. */
function unhurried(call: Call, signal: AbortSignal): Call {
  const context = { ...call.context, signal, deadlineAtMs: undefined };
  return { ...call, context, signal, deadlineAtMs: undefined };
}

/** The same events, once the first of them are there. */
async function begun(events: AsyncGenerator<Batch>): Promise<AsyncIterable<Batch>> {
  let first: IteratorResult<Batch> | undefined = await events.next();
  const next = () => {
    const result = first;
    first = undefined;
    return result ? Promise.resolve(result) : events.next();
  };
  return { [Symbol.asyncIterator]: () => ({ next, return: () => events.return(undefined) }) };
}

/** For the payer: as if it were alone. */
async function* paid({ payer, flight }: Course, waiter: Waiter): AsyncGenerator<Batch> {
  try {
    for (let batch = await waiter.next(); batch; batch = await waiter.next()) yield batch.map(event);
  } finally {
    await waiter.leave();
    if (!flight.isOver) payer.tally.outlived = flight.over;
  }
}

/** One who joined. */
class Shared {
  private readonly course: Course;
  private readonly waiter: Waiter;
  private readonly call: Call;

  constructor(course: Course, waiter: Waiter, call: Call) {
    this.course = course;
    this.waiter = waiter;
    this.call = call;
  }

  /** Undefined when the payer's limits ended the answer before this call was given any of it. */
  async reply(): Promise<Reply | undefined> {
    const batches = this.batches();
    try {
      return { events: this.call.streaming ? await begun(batches) : given(await Array.fromAsync(batches)) };
    } catch (error) {
      if (toFailure(error).kind !== "shared_answer_cut") throw error;
      const { tally } = this.call;
      tally.served = undefined;
      tally.dropped.length = 0;
      return undefined;
    }
  }

  private async *batches(): AsyncGenerator<Batch> {
    const { waiter, call } = this;
    try {
      for (let batch = await waiter.next(); batch; batch = await waiter.next()) {
        if (isShortened(batch)) throw cut();
        this.tell();
        yield batch.map((one) => stamped(bare(one)));
      }
    } catch (error) {
      if (call.signal.aborted) throw call.signal.reason;
      const failure = toFailure(error);
      throw OF_THE_PAYER.has(failure.kind) ? cut() : retold(failure);
    } finally {
      await waiter.leave();
    }
  }

  private tell(): void {
    const { call, course } = this;
    const { payer, receipt, costPicoUsd } = course;
    const first = call.tally.served === undefined;
    if (!first && !receipt) return;
    const { provider, model, dropped } = receipt ?? receiptOf(payer);
    call.tally.served = { kind: "coalesced", provider, model, costPicoUsd };
    if (receipt) call.tally.dropped.splice(0, Number.POSITIVE_INFINITY, ...dropped);
    if (!first) return;
    const { requestId, span } = payer.context;
    call.tally.cache = lookupOf({ outcome: "hit", sourceRequestId: requestId });
    call.context.span.addLink({ context: span.spanContext() });
  }
}

/** Until a call that is no stream has all of it, it was given nothing. */
async function* given(batches: readonly Batch[]): AsyncGenerator<Batch> {
  yield* batches;
}

/** Failures by limits that others need not have. */
const OF_THE_PAYER: ReadonlySet<FailureKind> = new Set([
  "budget_exceeded",
  "budget_unavailable",
  "unpriced_model",
]);

/** Whether money ended the answer. */
function isShortened(batch: Batch): boolean {
  return batch.some(({ finishReason }) => finishReason === "budget_exceeded");
}

function cut(): Failure {
  const text =
    "the answer was shared with another call, whose budget ended it before it was whole; try again";
  return new Failure("shared_answer_cut", text);
}
