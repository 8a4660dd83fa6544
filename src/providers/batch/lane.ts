/**
 * The way of batch calls to one provider: gathers them for a moment, has one batch made of them, keeps where each can
 * be taken up again, and finds the batch of those that are taken up. It knows neither requests nor replies.
 */
import type { Clock, Timer } from "../../core/clock.ts";
import { Failure, toFailure } from "../../core/failure.ts";
import type { BatchAdapter, LineReply } from "../batch_adapter.ts";
import type { WireBody } from "../dialect.ts";
import { isObject } from "../malformed.ts";
import { RunningBatch } from "./running.ts";
import { Waiter } from "./waiter.ts";

/** How long a batch waits for more of it. */
const GATHER_MS = 2_000;

export interface Submission {
  /** Never the same twice. */
  readonly customId: string;
  readonly wire: WireBody;
  /** Keeps where the line can be taken up. */
  readonly park: (where: string) => Promise<void>;
  readonly signal: AbortSignal;
}

interface Gathered {
  readonly waiter: Waiter;
  readonly line: string;
  readonly submission: Submission;
}

export class BatchLane {
  private readonly adapter: BatchAdapter;
  private readonly clock: Clock;
  private readonly running = new Map<string, RunningBatch>();
  private gathered: Gathered[] = [];
  private gatheredBytes = 0;
  private timer: Timer | undefined;

  constructor(adapter: BatchAdapter, clock: Clock) {
    this.adapter = adapter;
    this.clock = clock;
  }

  /**
   * A caller who leaves before the batch is made was never there. One who leaves later ends the batch, if all others
   * have left too; a Failure `shutting_down` as the signal's reason leaves the batch alone.
   *
   * @throws Failure; `suspended` when the batch goes on and the line is parked
   */
  submit(submission: Submission): Promise<LineReply> {
    const { maxLines, maxBytes } = this.adapter;
    const line = this.adapter.line(submission.customId, submission.wire);
    const bytes = Buffer.byteLength(line) + 1;
    if (bytes > maxBytes) return Promise.reject(tooLarge(bytes, maxBytes));
    if (this.gatheredBytes + bytes > maxBytes) this.send();
    const waiter = new Waiter(submission.customId, submission.signal);
    const gathered = { waiter, line, submission };
    this.gathered.push(gathered);
    this.gatheredBytes += bytes;
    waiter.whenLeft(() => {
      this.gathered = this.gathered.filter((other) => other !== gathered);
      this.gatheredBytes -= bytes;
      waiter.rejectUnserved("it was still waiting for its batch to be made");
    });
    if (this.gathered.length >= maxLines) this.send();
    else this.timer ??= this.clock.after(GATHER_MS, () => this.send());
    return waiter.reply;
  }

  /**
   * Takes a line up that was parked, by whichever process.
   *
   * @throws Failure
   */
  resume(where: string, signal: AbortSignal): Promise<LineReply> {
    const { batch, customId } = placeIn(where);
    const waiter = new Waiter(customId, signal);
    this.batch(batch, undefined).join(waiter);
    return waiter.reply;
  }

  private send(): void {
    const group = this.gathered;
    this.gathered = [];
    this.gatheredBytes = 0;
    this.timer?.cancel();
    this.timer = undefined;
    if (group.length > 0) void this.create(group);
  }

  private async create(group: readonly Gathered[]): Promise<void> {
    // Whoever leaves now is heeded once it is known whether there is a batch.
    for (const { waiter } of group) waiter.hold();
    try {
      const id = await this.adapter.create(group.map(({ line }) => line));
      const batch = this.batch(id, group.length);
      await Promise.all(group.map((gathered) => parked(gathered, id, batch)));
    } catch (error) {
      const failure = toFailure(error);
      for (const { waiter } of group) waiter.reject(copyOf(failure));
    }
  }

  private batch(id: string, lines: number | undefined): RunningBatch {
    const known = this.running.get(id);
    if (known) return known;
    const { adapter, clock } = this;
    const onEmpty = () => this.running.delete(id);
    const batch = new RunningBatch({ id, lines, adapter, clock, onEmpty });
    this.running.set(id, batch);
    return batch;
  }
}

/** Without its place kept, a line is lost to all but this process, and nobody shall rely on it. */
async function parked({ waiter, submission }: Gathered, batch: string, to: RunningBatch): Promise<void> {
  const { customId, park } = submission;
  try {
    await park(JSON.stringify({ batch, customId }));
    to.join(waiter);
  } catch (error) {
    waiter.reject(error);
    to.depart(customId);
  }
}

/** @throws Failure for what no lane has written */
function placeIn(where: string): { batch: string; customId: string } {
  const place: unknown = JSON.parse(where);
  if (isObject(place) && "batch" in place && "customId" in place)
    return { batch: String(place.batch), customId: String(place.customId) };
  throw new Failure("internal", "what was kept of this call cannot be read", { operator: where });
}

/** Each call has its own, since each is told with its own receipt. */
function copyOf(failure: Failure): Failure {
  const { kind, message, operator, violations, retryAfterMs, maybePaid } = failure;
  return new Failure(kind, message, {
    ...(operator !== undefined && { operator }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
    violations,
    accepted: maybePaid,
    cause: failure,
  });
}

function tooLarge(bytes: number, maxBytes: number): Failure {
  const text = `a request in a batch may have ${maxBytes} bytes, and this has ${bytes}; shorten it`;
  return new Failure("payload_too_large", text);
}
