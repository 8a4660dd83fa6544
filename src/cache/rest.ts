/**
 * When to leave a store alone that fails: after some failures in a row for a while, then for one that tries, and for
 * longer each time that this one fails. It does not know what is asked of the store.
 */
import type { Clock } from "../core/clock.ts";

const MAX_FAILURES = 5;
const REST_MS = { least: 1_000, most: 30_000 };

export class Rest {
  private readonly clock: Clock;
  private readonly onChange: (resting: boolean) => void;
  private failures = 0;
  /** 0 while it does not rest. */
  private restMs = 0;
  private untilMs = 0;
  private trying = false;

  constructor(clock: Clock, onChange: (resting: boolean) => void) {
    this.clock = clock;
    this.onChange = onChange;
  }

  /** Whether it may be asked now; who is told so tells how that went. */
  begin(): boolean {
    if (this.restMs === 0) return true;
    if (this.trying || this.clock.now() < this.untilMs) return false;
    this.trying = true;
    return true;
  }

  /** Whether the last went well. */
  get calm(): boolean {
    return this.failures === 0;
  }

  succeeded(): void {
    this.failures = 0;
    this.trying = false;
    if (this.restMs === 0) return;
    this.restMs = 0;
    this.onChange(false);
  }

  failed(): void {
    this.failures++;
    if (this.restMs === 0) {
      if (this.failures < MAX_FAILURES) return;
      this.restFor(REST_MS.least);
      this.onChange(true);
      // Else it was begun before the rest.
    } else if (this.trying) this.restFor(Math.min(this.restMs * 2, REST_MS.most));
  }

  private restFor(ms: number): void {
    this.restMs = ms;
    this.untilMs = this.clock.now() + ms;
    this.trying = false;
  }
}
