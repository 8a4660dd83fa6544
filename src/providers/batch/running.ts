/**
 * A batch that its provider works on, and the calls that wait for it: asks for it ever more seldom, hands each call
 * its line, and gives the batch up once nobody wants it. It knows no wire format.
 */
import type { Clock, Timer } from "../../core/clock.ts";
import { Failure } from "../../core/failure.ts";
import type { BatchAdapter, BatchResult, BatchState } from "../batch_adapter.ts";
import type { Waiter } from "./waiter.ts";

const FIRST_POLL_MS = 5_000;
const MAX_POLL_MS = 60_000;
/** How long one who left is kept, since those who leave together do not leave at the same moment. */
const GRACE_MS = 2_000;
/** Providers end a cancelled batch within ten minutes, and tell then what of it was served. */
const CANCEL_MS = 12 * 60_000;

export interface RunningOptions {
  readonly id: string;
  /** How many lines it has; undefined where only the provider knows. */
  readonly lines: number | undefined;
  readonly adapter: BatchAdapter;
  readonly clock: Clock;
  /** Told when nobody waits any more. */
  readonly onEmpty: () => void;
}

export class RunningBatch {
  private readonly options: RunningOptions;
  private lines: number | undefined;
  private readonly waiters = new Set<Waiter>();
  /** Those of them that left, and wait for what is charged. */
  private readonly left = new Set<Waiter>();
  /** Lines that nobody wants any more. */
  private readonly departed = new Set<string>();
  private pollMs = FIRST_POLL_MS;
  private timer: Timer | undefined;
  private polling = false;
  private grace: Timer | undefined;
  private cancelling = false;
  /** Whether the provider did not answer when it was last told to cancel. */
  private unheard = false;

  constructor(options: RunningOptions) {
    this.options = options;
    this.lines = options.lines;
  }

  join(waiter: Waiter): void {
    this.waiters.add(waiter);
    waiter.whenLeft(() => this.leave(waiter));
    // It may have left by now.
    if (this.waiters.size > 0) this.timer ??= this.schedule();
  }

  /** Nobody waits for this line. */
  depart(customId: string): void {
    this.departed.add(customId);
    this.cancelUnwanted();
  }

  private leave(waiter: Waiter): void {
    if (waiter.suspended) {
      waiter.reject(suspended());
      this.remove(waiter);
      return;
    }
    this.left.add(waiter);
    this.depart(waiter.customId);
    if (this.cancelling) return;
    this.grace ??= this.options.clock.after(GRACE_MS, () => this.dismiss());
    if (this.lines === undefined) void this.poll();
  }

  /** Others want the rest of the batch, so that what they left behind is served, and charged. */
  private dismiss(): void {
    this.grace = undefined;
    for (const waiter of this.left) {
      waiter.reject(waiter.reason);
      this.remove(waiter);
    }
  }

  private cancelUnwanted(): void {
    if (this.cancelling || this.departed.size !== this.lines) return;
    this.cancelling = true;
    this.grace?.cancel();
    this.cancel();
    if (this.waiters.size === 0) {
      this.options.onEmpty();
      return;
    }
    this.grace = this.options.clock.after(CANCEL_MS, () => this.dismiss());
    this.pollMs = FIRST_POLL_MS;
    this.timer?.cancel();
    this.timer = this.schedule();
  }

  private cancel(): void {
    const { adapter, id } = this.options;
    this.unheard = false;
    // Where it is over, the next poll tells; where it runs, that poll tells again.
    adapter.cancel(id).catch(() => {
      this.unheard = true;
    });
  }

  private schedule(): Timer {
    const timer = this.options.clock.after(this.pollMs, () => void this.poll());
    this.pollMs = Math.min(2 * this.pollMs, MAX_POLL_MS);
    return timer;
  }

  private async poll(): Promise<void> {
    if (this.polling) return;
    this.polling = true;
    this.timer?.cancel();
    try {
      await this.take(await this.options.adapter.poll(this.options.id));
    } catch {
      // The batch goes on, and is paid for: whatever the provider has now, it is asked again.
    }
    this.polling = false;
    if (this.waiters.size === 0) return;
    this.timer?.cancel();
    this.timer = this.schedule();
  }

  private async take(state: BatchState): Promise<void> {
    this.lines ??= state.lines;
    if (state.state === "running" && this.unheard) this.cancel();
    else if (state.state === "running") this.cancelUnwanted();
    else if (state.state === "unknown") this.forget(state);
    else if (state.state === "no_room") this.turnAway(state);
    else await this.deliver(state);
  }

  private forget({ reason }: BatchState): void {
    const { id } = this.options;
    const operator = `batch ${id}: ${reason}`;
    for (const waiter of this.waiters) {
      const text = "the provider does not know the batch any more";
      waiter.reject(new Failure("provider_error", text, { operator, accepted: true }));
      this.remove(waiter);
    }
  }

  private turnAway({ reason }: BatchState): void {
    const operator = `batch ${this.options.id}: ${reason}`;
    const text = "the provider holds as much as it may for batches, and takes more when some have ended";
    for (const waiter of this.waiters) {
      if (this.left.has(waiter)) waiter.rejectUnserved(operator);
      else waiter.reject(new Failure("provider_rate_limited", text, { operator, noRoom: true }));
      this.remove(waiter);
    }
  }

  private async deliver(state: BatchState): Promise<void> {
    // Who joins meanwhile is served by the next poll.
    const waiting = Map.groupBy(this.waiters, ({ customId }) => customId);
    const unreadable = await this.handOut(waiting, state);
    for (const waiter of [...waiting.values()].flat()) {
      if (state.state === "partial" && !unreadable) this.unserved(waiter, state, "");
      else this.end(waiter, () => waiter.reject(missing(this.options.id, unreadable)));
    }
  }

  /** Takes out whom it answers. Returns what could not be read, behind which there may be more; asking again is no cure. */
  private async handOut(waiting: Map<string, Waiter[]>, state: BatchState): Promise<Failure | undefined> {
    const { adapter, id } = this.options;
    try {
      for await (const result of adapter.results(id)) {
        for (const waiter of waiting.get(result.customId) ?? []) this.answer(waiter, result, state);
        waiting.delete(result.customId);
      }
      return undefined;
    } catch (error) {
      if (error instanceof Failure && error.kind === "malformed_reply") return error;
      throw error;
    }
  }

  private answer(waiter: Waiter, result: BatchResult, state: BatchState): void {
    if ("unserved" in result) this.unserved(waiter, state, result.unserved);
    else this.end(waiter, () => waiter.resolve(result));
  }

  private unserved(waiter: Waiter, { reason }: BatchState, why: string): void {
    const operator = `batch ${this.options.id}: ${[reason, why].filter(Boolean).join(": ")}`;
    this.end(waiter, () => {
      if (this.left.has(waiter)) waiter.rejectUnserved(operator);
      else
        waiter.reject(new Failure("provider_error", "the provider ended the batch unfinished", { operator }));
    });
  }

  /** Nothing is said to one who is gone. */
  private end(waiter: Waiter, say: () => void): void {
    if (!this.waiters.has(waiter)) return;
    say();
    this.remove(waiter);
  }

  private remove(waiter: Waiter): void {
    this.waiters.delete(waiter);
    this.left.delete(waiter);
    if (this.waiters.size > 0) return;
    this.timer?.cancel();
    this.timer = undefined;
    this.grace?.cancel();
    this.grace = undefined;
    this.options.onEmpty();
  }
}

function suspended(): Failure {
  const text = "the gateway is being stopped; the provider's batch goes on, and is taken up again";
  return new Failure("shutting_down", text, { suspended: true });
}

function missing(id: string, unreadable: Failure | undefined): Failure {
  const operator = `batch ${id}: ${unreadable?.operator ?? "it is complete without it"}`;
  return new Failure("malformed_reply", "the provider's batch has no answer to this request", { operator });
}
