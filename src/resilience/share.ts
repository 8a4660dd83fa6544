/** What may be done beside the calls of the last minute, as a share of them. */
import type { Clock } from "../core/clock.ts";
import { LastMinute } from "../core/last-minute.ts";

const OFFERED = 0;
const TAKEN = 1;

export interface ShareRule {
  /** Of the calls of the last minute. */
  readonly ratio: number;
  /** What is allowed whatever the share comes to. */
  readonly least: number;
}

export class Share {
  private readonly counts: LastMinute;

  constructor(clock: Clock) {
    this.counts = new LastMinute(clock, 2);
  }

  /** A call came, of which more may be made. */
  offered(): void {
    this.counts.add(OFFERED);
  }

  /** Takes one more, if there is room: what was taken never exceeds the larger of the two. */
  take({ ratio, least }: ShareRule): boolean {
    const room = Math.max(least, ratio * this.counts.total(OFFERED));
    if (this.counts.total(TAKEN) + 1 > room) return false;
    this.counts.add(TAKEN);
    return true;
  }
}
