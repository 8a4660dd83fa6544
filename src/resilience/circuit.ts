/**
 * One circuit: whether calls are sent to somebody, by what became of those of the last minute. It is told what
 * happened, and calls nobody.
 */
import type { Clock } from "../core/clock.ts";
import { LastMinute } from "../core/last-minute.ts";

export interface CircuitRule {
  readonly enabled: boolean;
  /** The share of failures above which it opens, and that of timeouts. */
  readonly errorRate: number;
  readonly timeoutRate: number;
  /** Attempts of the last minute below which shares mean nothing. */
  readonly minCalls: number;
  readonly openForMs: number;
  /** Calls at a time that find out whether it serves again; as many must succeed. */
  readonly probes: number;
}

export type State = "closed" | "half_open" | "open";
export type Mode = "automatic" | "open" | "closed";

/** What a call was let through as. A probe must be told of once, by the number that it got. */
export type Admission = "call" | "refused" | number;

export interface Figures {
  /** Those that speak included. */
  readonly attempts: number;
  readonly failures: number;
  readonly timeouts: number;
}

/**
 * Refusals come sooner than first words. For so long one that was sent may still serve; what then says nothing is
 * probably held up, and must not speak for its provider.
 */
const MAY_SERVE_MS = 5_000;

const ATTEMPTS = 0;
const FAILURES = 1;
const TIMEOUTS = 2;

export class Circuit {
  private readonly clock: Clock;
  private readonly onChange: (state: State) => void;
  private readonly counts: LastMinute;
  private phase: State = "closed";
  private wish: Mode = "automatic";
  private openedAt: number | undefined;
  private leftAloneAt = 0;
  private probeAt = 0;
  /** Of the half-open phase that there is; probes of one before say nothing any more. */
  private round = 1;
  private underWay = 0;
  private succeeded = 0;
  private speaking = 0;
  /** When each was sent that has not been heard of since, the oldest first. */
  private readonly sentAtMs = new Map<object, number>();

  constructor(clock: Clock, onChange: (state: State) => void) {
    this.clock = clock;
    this.onChange = onChange;
    this.counts = new LastMinute(clock, 3);
  }

  get state(): State {
    if (this.wish !== "automatic") return this.wish;
    return this.phase === "open" && this.isDue ? "half_open" : this.phase;
  }

  /** Whether it is half open, and nobody finds out just now whether it serves again. */
  get awaitsProbe(): boolean {
    return this.state === "half_open" && (this.phase === "open" || this.underWay === 0);
  }

  get mode(): Mode {
    return this.wish;
  }

  /** Sets it by hand; `automatic` begins anew, as if nothing had happened. */
  set(mode: Mode): void {
    const before = this.state;
    this.wish = mode;
    this.phase = "closed";
    this.openedAt = undefined;
    if (mode === "automatic") this.counts.clear();
    if (this.state !== before) this.onChange(this.state);
  }

  get figures(): Figures {
    return {
      attempts: this.counts.total(ATTEMPTS) + this.speaking,
      failures: this.counts.total(FAILURES),
      timeouts: this.counts.total(TIMEOUTS),
    };
  }

  /** When it opened by itself, and when it will next be tried; undefined while it is closed or set by hand. */
  get times(): { readonly openedAtMs: number; readonly probeAtMs: number } | undefined {
    if (this.wish !== "automatic" || this.openedAt === undefined) return undefined;
    return { openedAtMs: this.openedAt, probeAtMs: this.probeAt };
  }

  /** Whether a call would be refused now, for those who would only make one later. */
  refuses({ enabled }: CircuitRule): boolean {
    return this.state === "open" && (enabled || this.wish === "open");
  }

  /** Asks whether a call may be made now. */
  admit(rule: CircuitRule): Admission {
    if (this.wish !== "automatic") return this.wish === "open" ? "refused" : "call";
    if (!rule.enabled || this.phase === "closed") return "call";
    if (this.phase === "open") {
      if (!this.isDue) return "refused";
      this.turn("half_open");
      this.round++;
      this.underWay = 0;
      this.succeeded = 0;
    }
    if (this.underWay + this.succeeded >= rule.probes) return "refused";
    this.underWay++;
    return this.round;
  }

  /**
   * An attempt is sent. Failures count at once, so that without it a burst of calls would be judged by those alone that
   * failed. Until `heard`, or for as long as it may serve: it need not be told of again.
   */
  sent(attempt: object): void {
    this.sentAtMs.set(attempt, this.clock.now());
    this.forgetOld();
  }

  /** It spoke or ended. */
  heard(attempt: object): void {
    this.sentAtMs.delete(attempt);
  }

  /** A stream brought its first word, and has not failed so far. To be followed by `fellSilent`, once. */
  spoke(): void {
    this.speaking++;
  }

  /** A stream that spoke is over, whatever became of it. */
  fellSilent(): void {
    this.speaking--;
  }

  /** A call ended: by itself a success tells nothing of a circuit that is not closed. */
  count(end: "ok" | "failure" | "timeout", rule: CircuitRule): void {
    this.counts.add(ATTEMPTS);
    if (end === "ok") return;
    this.counts.add(FAILURES);
    if (end === "timeout") this.counts.add(TIMEOUTS);
    if (this.phase === "closed" && rule.enabled && this.failing(rule)) this.open(rule);
  }

  /** A probe brought its first word. */
  proved(probe: Admission, rule: CircuitRule): void {
    if (!this.ends(probe)) return;
    this.succeeded++;
    if (this.succeeded >= rule.probes) this.close();
  }

  /** A probe failed: the provider is left alone for as long again. */
  refuted(probe: Admission, rule: CircuitRule): void {
    if (this.ends(probe)) this.open(rule);
  }

  /** A probe told nothing: its caller left, or it was never sent. */
  released(probe: Admission): void {
    this.ends(probe);
  }

  private ends(probe: Admission): boolean {
    if (probe !== this.round || this.phase !== "half_open") return false;
    this.underWay--;
    return true;
  }

  private get isDue(): boolean {
    const nowMs = this.clock.now();
    // Where the clock was set back, it would be left alone for as much longer.
    return nowMs >= this.probeAt || nowMs < this.leftAloneAt;
  }

  private failing({ errorRate, timeoutRate, minCalls }: CircuitRule): boolean {
    const { attempts, failures, timeouts } = this.figures;
    if (attempts < minCalls) return false;
    this.forgetOld();
    const all = attempts + this.sentAtMs.size;
    return failures / all > errorRate || timeouts / all > timeoutRate;
  }

  private forgetOld(): void {
    const tooOld = this.clock.now() - MAY_SERVE_MS;
    for (const [attempt, sentAtMs] of this.sentAtMs) {
      if (sentAtMs > tooOld) return;
      this.sentAtMs.delete(attempt);
    }
  }

  private open({ openForMs }: CircuitRule): void {
    this.leftAloneAt = this.clock.now();
    this.openedAt ??= this.leftAloneAt;
    this.probeAt = this.leftAloneAt + openForMs;
    this.turn("open");
  }

  private close(): void {
    this.openedAt = undefined;
    this.counts.clear();
    this.turn("closed");
  }

  private turn(phase: State): void {
    if (this.phase === phase) return;
    this.phase = phase;
    if (this.wish === "automatic") this.onChange(phase);
  }
}
