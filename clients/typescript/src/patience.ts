/** How long a gateway that is away is waited for, by whoever knows that it has the job. It makes no calls. */
import type { Call } from "./call.ts";
import type { Clock } from "./clock.ts";
import type { GatewayError } from "./error.ts";

/** What passes by itself: the gateway starts anew, is busy, or the way to it broke. */
const PASSING: ReadonlySet<string> = new Set([
  "gateway_unreachable",
  "connection_lost",
  "shutting_down",
  "jobs_unavailable",
  "rate_limited",
]);
const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 10_000;
/** A gateway that was away for so long may never come back. */
const GIVE_UP_AFTER_MS = 300_000;

/** Whether what failed may go well when it is made again after a while. */
export function isPassing({ kind }: GatewayError): boolean {
  return PASSING.has(kind);
}

export class Patience {
  private readonly call: Call;
  private readonly clock: Clock;
  private waits = 0;
  private awaySinceMs: number | undefined;
  private isKnown: boolean;

  /** @param isKnown whether the gateway has answered for this job before; one that never did is not waited for */
  constructor(call: Call, clock: Clock, isKnown: boolean) {
    this.call = call;
    this.clock = clock;
    this.isKnown = isKnown;
  }

  /** The gateway answers. */
  heard(): void {
    this.isKnown = true;
    this.waits = 0;
    this.awaySinceMs = undefined;
  }

  /** Resolves when it is worth trying again; throws the failure when it is not, or what ended the wait. */
  async after(failure: GatewayError): Promise<void> {
    const nowMs = this.clock.now();
    this.awaySinceMs ??= nowMs;
    const waitMs = failure.retryAfterMs ?? Math.min(FIRST_WAIT_MS * 2 ** this.waits++, LONGEST_WAIT_MS);
    const isTooLong = nowMs + waitMs - this.awaySinceMs > GIVE_UP_AFTER_MS || waitMs >= this.call.remainingMs;
    if (!this.isKnown || !isPassing(failure) || isTooLong) throw failure;
    await this.call.wait(waitMs).catch((reason) => {
      throw this.call.failure(reason);
    });
  }
}
