/** A signal that ends with its parent's, or earlier. */
import type { Clock, Timer } from "./clock.ts";
import type { Failure } from "./failure.ts";

/** To be ended once what it bounds is over, whatever became of it. */
export class Bounded {
  private readonly parent: AbortSignal;
  private readonly clock: Clock;
  private readonly controller = new AbortController();
  private readonly timers: Timer[] = [];
  private readonly onParent = () => this.controller.abort(this.parent.reason);

  constructor(parent: AbortSignal, clock: Clock) {
    this.parent = parent;
    this.clock = clock;
    if (parent.aborted) this.onParent();
    else parent.addEventListener("abort", this.onParent, { once: true });
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  abort(reason: Failure): void {
    this.controller.abort(reason);
  }

  /** Aborts after so long. */
  limit(ms: number, reason: () => Failure): Timer {
    return this.after(ms, () => this.abort(reason()));
  }

  after(ms: number, action: () => void): Timer {
    const timer = this.clock.after(ms, action);
    this.timers.push(timer);
    return timer;
  }

  end(): void {
    for (const timer of this.timers) timer.cancel();
    this.parent.removeEventListener("abort", this.onParent);
  }
}
