/**
 * The way of batch calls to one provider: gathers them for a moment, has one batch made of them, keeps where each can
 * be taken up again, and finds the batch of those that are taken up. It knows neither requests nor replies.
 */
import type { Clock, Timer } from "../../core/clock.ts";
import { Failure, toFailure } from "../../core/failure.ts";
import type { BatchAdapter, LineReply } from "../batch_adapter.ts";
import type { WireBody } from "../dialect.ts";
import { isObject } from "../malformed.ts";
import { count } from "../values.ts";
import { RunningBatch } from "./running.ts";
import { Waiter } from "./waiter.ts";

/** How long a batch waits for more of it. */
const GATHER_MS = 2_000;

export interface Submission {
  /** Never the same twice. */
  readonly customId: string;
  /** Providers want all requests of a batch to be for one. */
  readonly model: string;
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

/** What will be a batch. */
interface Gathering {
  lines: Gathered[];
  bytes: number;
  readonly timer: Timer;
}

export class BatchLane {
  private readonly adapter: BatchAdapter;
  private readonly clock: Clock;
  private readonly running = new Map<string, RunningBatch>();
  /** By model. */
  private readonly gatherings = new Map<string, Gathering>();

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
    const { customId, model, wire, signal } = submission;
    const line = this.adapter.line(customId, wire);
    const bytes = Buffer.byteLength(line) + 1;
    if (bytes > maxBytes) return Promise.reject(tooLarge(bytes, maxBytes));
    if ((this.gatherings.get(model)?.bytes ?? 0) + bytes > maxBytes) this.send(model);
    const gathering = this.gatheringOf(model);
    const waiter = new Waiter(customId, signal);
    const gathered = { waiter, line, submission };
    gathering.lines.push(gathered);
    gathering.bytes += bytes;
    waiter.whenLeft(() => {
      gathering.lines = gathering.lines.filter((other) => other !== gathered);
      gathering.bytes -= bytes;
      waiter.rejectUnserved("it was still waiting for its batch to be made");
    });
    if (gathering.lines.length >= maxLines) this.send(model);
    return waiter.reply;
  }

  /**
   * Takes a line up that was parked, by whichever process.
   *
   * @throws Failure
   */
  resume(where: string, signal: AbortSignal): Promise<LineReply> {
    const { batch, customId, lines } = placeIn(where);
    const waiter = new Waiter(customId, signal);
    this.batch(batch, lines).join(waiter);
    return waiter.reply;
  }

  private gatheringOf(model: string): Gathering {
    const known = this.gatherings.get(model);
    if (known) return known;
    const timer = this.clock.after(GATHER_MS, () => this.send(model));
    const gathering: Gathering = { lines: [], bytes: 0, timer };
    this.gatherings.set(model, gathering);
    return gathering;
  }

  private send(model: string): void {
    const gathering = this.gatherings.get(model);
    if (!gathering) return;
    this.gatherings.delete(model);
    gathering.timer.cancel();
    if (gathering.lines.length > 0) void this.create(gathering.lines);
  }

  private async create(group: readonly Gathered[]): Promise<void> {
    // Whoever leaves now is heeded once it is known whether there is a batch.
    for (const { waiter } of group) waiter.hold();
    try {
      const id = await this.adapter.create(group.map(({ line }) => line));
      const lines = group.length;
      const batch = this.batch(id, lines);
      await Promise.all(group.map((gathered) => parked(gathered, { batch: id, lines }, batch)));
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

interface Place {
  readonly batch: string;
  readonly customId: string;
  /** Of the whole batch, so that whoever takes it up need not ask for it first; undefined in what was kept of old. */
  readonly lines: number | undefined;
}

/** Without its place kept, a line is lost to all but this process, and nobody shall rely on it. */
async function parked(
  { waiter, submission }: Gathered,
  made: Omit<Place, "customId">,
  to: RunningBatch,
): Promise<void> {
  const { customId, park } = submission;
  try {
    await park(JSON.stringify({ ...made, customId } satisfies Place));
    to.join(waiter);
  } catch (error) {
    waiter.reject(error);
    to.depart(customId);
  }
}

/** @throws Failure for what no lane has written */
function placeIn(where: string): Place {
  const place: Partial<Record<keyof Place, unknown>> = JSON.parse(where);
  if (isObject(place) && "batch" in place && "customId" in place)
    return { batch: String(place.batch), customId: String(place.customId), lines: count(place.lines) };
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
