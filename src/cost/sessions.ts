/** What the last call of each session had a target read: as much of it may be in that one's prompt cache. */
import { LRUMap } from "mnemonist";
import type { Target } from "../core/call.ts";
import type { Clock } from "../core/clock.ts";
import { nameOf } from "../core/target.ts";

const MAX_SESSIONS = 10_000;
/** Providers keep prompts for five minutes at the least. */
const KEPT_MS = 300_000;

interface Last {
  readonly target: string;
  readonly inputTokens: number;
  readonly atMs: number;
}

export class Sessions {
  private readonly clock: Clock;
  private readonly known = new LRUMap<string, Last>(MAX_SESSIONS);

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** An answer was given there. */
  served(session: string, target: Target, inputTokens: number): void {
    this.known.set(session, { target: nameOf(target), inputTokens, atMs: this.clock.now() });
  }

  /** Tokens that this target may have cached; 0 when it served none of the session lately. */
  cachedTokens(session: string, target: Target): number {
    const last = this.known.peek(session);
    if (last?.target !== nameOf(target)) return 0;
    return this.clock.now() - last.atMs < KEPT_MS ? last.inputTokens : 0;
  }
}
