/** How long each target took lately to its first word, or to a whole answer, as quantiles. */
import { DDSketch } from "@datadog/sketches-js";
import type { Attempt } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import type { Target } from "../core/call.ts";
import type { Clock } from "../core/clock.ts";
import { Targets } from "./targets.ts";

/** A time is forgotten after one to two of these. */
const WINDOW_MS = 300_000;
/** Below so many, quantiles mean nothing. */
const TELLING = 20;
/** A quantile is looked up again only after so many more, or so long. */
const KEPT_FOR = 16;
const KEPT_MS = 1_000;
/** Quantiles are right to one in a hundred. */
const ACCURACY = { relativeAccuracy: 0.01 };

export class Latencies {
  private readonly targets: Targets<{ readonly streams: Times; readonly answers: Times }>;

  constructor(clock: Clock) {
    this.targets = new Targets(() => ({ streams: new Times(clock), answers: new Times(clock) }));
  }

  /**
   * To be told of each attempt once, when it has ended. One that was overtaken took at least as long as it was given:
   * without it, those that remain would seem faster than they are.
   */
  settled(attempt: Attempt, streaming: boolean): void {
    const { outcome, failureKind, firstEventMs, latencyMs } = attempt;
    const whole = outcome === "ok" || failureKind === "hedge_lost" ? latencyMs : undefined;
    const ms = streaming && outcome !== "abandoned" ? firstEventMs : whole;
    if (ms !== undefined) this.observe(attempt, streaming, ms);
  }

  observe(target: Target, streaming: boolean, ms: number): void {
    this.of(target, streaming).add(ms);
  }

  /** In milliseconds; undefined while too little is known. */
  quantile(target: Target, streaming: boolean, share: number): number | undefined {
    return this.of(target, streaming).quantile(share);
  }

  private of(target: Target, streaming: boolean): Times {
    const { streams, answers } = this.targets.of(target);
    return streaming ? streams : answers;
  }
}

class Times {
  private readonly clock: Clock;
  private current = new DDSketch(ACCURACY);
  private before = new DDSketch(ACCURACY);
  private sinceMs: number;
  private known: { share: number; value: number; untilMs: number; untilCount: number } | undefined;

  constructor(clock: Clock) {
    this.clock = clock;
    this.sinceMs = clock.now();
  }

  add(ms: number): void {
    this.move();
    this.current.accept(ms);
  }

  quantile(share: number): number | undefined {
    this.move();
    const count = this.current.count + this.before.count;
    if (count < TELLING) return undefined;
    const nowMs = this.clock.now();
    const { known } = this;
    if (known?.share === share && nowMs < known.untilMs && count < known.untilCount) return known.value;
    const all = new DDSketch(ACCURACY);
    all.merge(this.before);
    all.merge(this.current);
    const value = all.getValueAtQuantile(share);
    this.known = { share, value, untilMs: nowMs + KEPT_MS, untilCount: count + KEPT_FOR };
    return value;
  }

  private move(): void {
    const passed = this.clock.now() - this.sinceMs;
    if (passed < WINDOW_MS) return;
    this.before = passed < 2 * WINDOW_MS ? this.current : new DDSketch(ACCURACY);
    this.current = new DDSketch(ACCURACY);
    this.sinceMs = this.clock.now();
    this.known = undefined;
  }
}
