/**
 * One experiment while it is configured: who is given which share, what became of it, and what was decided. It knows
 * neither calls nor where its figures are kept.
 */
import type { Clock } from "../core/clock.ts";
import type { Share } from "./assign.ts";
import { count, type Figures, noFigures, type Outcome, rate, together } from "./figures.ts";
import { judge } from "./judge.ts";
import type { JudgingRule } from "./rule.ts";

export interface TrialRule extends JudgingRule {
  readonly name: string;
  /** What it compares, and how: figures of another one are not its own. */
  readonly fingerprint: string;
  readonly enabled: boolean;
  /** Undefined for at once. */
  readonly startMs: number | undefined;
  /** Undefined for never. */
  readonly stopMs: number | undefined;
  /** Whether a winner is given all calls, or only told. */
  readonly decides: boolean;
}

/** What was decided, as it may be kept. */
export interface Ruling {
  readonly kind: "none" | "winner" | "stopped";
  /** The variant that has all calls; empty for none. */
  readonly winner: string;
  readonly by: "" | "sequential_test" | "operator";
  readonly atMs: number;
  readonly reason: string;
  /** Those that are given no calls any more, and why. */
  readonly harmful: Readonly<Record<string, string>>;
}

export type State = "off" | "waiting" | "running" | "decided" | "stopped" | "ended";

export interface TrialMeans {
  readonly clock: Clock;
  /** Told whenever something is decided, by itself or by hand. */
  onRuling(ruling: Ruling): void;
}

const OPEN: Ruling = { kind: "none", winner: "", by: "", atMs: 0, reason: "", harmful: {} };
/** Calls between two looks at the figures. */
const LOOK_EVERY = 10;

export class Trial {
  /** Another one of the same fingerprint may take its place. */
  rule: TrialRule;
  sinceMs: number;
  private readonly means: TrialMeans;
  private readonly own: ReadonlyMap<string, Figures>;
  private foreign: ReadonlyMap<string, Figures> = new Map();
  private decided = OPEN;
  private said = "nothing was counted yet";
  private counted = 0;

  constructor(rule: TrialRule, means: TrialMeans) {
    this.rule = rule;
    this.means = means;
    this.sinceMs = Math.max(means.clock.now(), rule.startMs ?? 0);
    this.own = new Map(rule.variants.map(({ name }) => [name, noFigures()]));
  }

  get state(): State {
    const { enabled, startMs = 0, stopMs = Number.POSITIVE_INFINITY } = this.rule;
    const nowMs = this.means.clock.now();
    if (!enabled) return "off";
    if (nowMs >= stopMs) return "ended";
    if (this.decided.kind === "stopped") return "stopped";
    if (nowMs < startMs) return "waiting";
    return this.decided.kind === "winner" ? "decided" : "running";
  }

  /** Why it is in its state, and what is lacking for a decision. */
  get reason(): string {
    const { state } = this;
    if (state === "decided" || state === "stopped") return this.decided.reason;
    return state === "running" ? this.said : "";
  }

  get ruling(): Ruling {
    return this.decided;
  }

  /** Empty while no call is part of it. */
  get shares(): readonly Share[] {
    const { state, decided, rule } = this;
    if (state === "running")
      return rule.variants.map(({ name, weight }) => ({
        name,
        weight: Object.hasOwn(decided.harmful, name) ? 0 : weight,
      }));
    if (state !== "decided") return [];
    return rule.variants.map(({ name }) => ({ name, weight: name === decided.winner ? 1 : 0 }));
  }

  figuresOf(variant: string): Figures {
    const own = this.own.get(variant) ?? noFigures();
    const foreign = this.foreign.get(variant);
    return foreign ? together([own, foreign]) : own;
  }

  count(variant: string, outcome: Outcome): void {
    const figures = this.own.get(variant);
    if (!figures) return;
    count(figures, outcome);
    this.look();
  }

  /** @param earlier what was said of the same call before */
  rate(variant: string, score: number, group: number, earlier: number | undefined): void {
    const figures = this.own.get(variant);
    if (!figures) return;
    rate(figures, score, group, earlier);
    this.look();
  }

  /** Gives all calls to one variant; or none is promoted any more, and the weights hold again. */
  promote(variant: string): void {
    const reason = "it was promoted by hand";
    this.rules({ ...OPEN, by: "operator", ...(variant ? { kind: "winner", winner: variant, reason } : {}) });
  }

  stop(): void {
    const reason = "it was stopped by hand";
    this.rules({ ...this.decided, kind: "stopped", winner: "", by: "operator", reason });
  }

  /** What this process has counted, as it may be kept. */
  get kept(): Readonly<Record<string, Figures>> {
    return Object.fromEntries(this.own);
  }

  /** What other processes have counted, and what one of them decided; the latest holds. */
  hear(foreign: ReadonlyMap<string, Figures>, ruling: Ruling | undefined, sinceMs: number | undefined): void {
    this.foreign = foreign;
    if (sinceMs !== undefined) this.sinceMs = Math.min(this.sinceMs, sinceMs);
    if (ruling && ruling.atMs > this.decided.atMs) this.decided = ruling;
  }

  private look(): void {
    this.counted++;
    if (this.counted % LOOK_EVERY !== 0 || this.state !== "running") return;
    const { rule, decided, means } = this;
    const figures = new Map(rule.variants.map(({ name }) => [name, this.figuresOf(name)]));
    const { harmful, winner, reason } = judge(rule, {
      figuresOf: (name) => figures.get(name) ?? noFigures(),
      stopped: new Set(Object.keys(decided.harmful)),
      elapsedMs: means.clock.now() - this.sinceMs,
    });
    this.said = winner === undefined ? reason : `${winner} could be given all calls: ${reason}`;
    const known = { ...decided.harmful, ...Object.fromEntries(harmful) };
    if (winner !== undefined && rule.decides)
      this.rules({ kind: "winner", winner, by: "sequential_test", reason, harmful: known });
    else if (harmful.size > 0) this.rules({ ...decided, by: "sequential_test", harmful: known });
  }

  private rules(said: Omit<Ruling, "atMs">): void {
    // The latest holds: what was decided by a clock that is ahead must not be heard again as later than this.
    const atMs = Math.max(this.means.clock.now(), this.decided.atMs + 1);
    this.decided = { ...said, atMs };
    this.means.onRuling(this.decided);
  }
}
