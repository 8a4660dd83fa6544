/**
 * Makes a second attempt when the first has said nothing for longer than it usually does. Whoever speaks first is
 * heard; the other is broken off, and its spend is booked as that of any attempt.
 */
import { Bounded } from "../core/bounded.ts";
import { isBatch, type Layer, type RoutedCall, type Service, type Target } from "../core/call.ts";
import type { Clock } from "../core/clock.ts";
import { Failure, toFailure } from "../core/failure.ts";
import { type Batch, endAfter, type Reply } from "../core/reply.ts";
import type { Share } from "../resilience/share.ts";
import type { Targets } from "../resilience/targets.ts";

export interface HedgeSettings {
  readonly enabled: boolean;
  /** How long to wait for the first; undefined for what it usually takes. */
  readonly delayMs: number | undefined;
  /** The largest share of the target's calls that may be made twice. */
  readonly maxShare: number;
  readonly second: "same" | "next";
}

export type HedgeOutcome = "won" | "lost" | "failed" | "abandoned" | "refused" | "capped";

export interface HedgeMeans {
  settingsOf(target: Target): HedgeSettings;
  /** What 95 of 100 calls took to their first word; undefined while too little is known. */
  usualMs(target: Target, streaming: boolean): number | undefined;
  readonly shares: Targets<Share>;
  readonly clock: Clock;
  onHedge(call: RoutedCall, outcome: HedgeOutcome): void;
}

/** For the loser to tell what it has cost, so that the receipt of a whole answer has it. */
const LAST_WORDS_MS = 20;

export function hedge(means: HedgeMeans): Layer<RoutedCall> {
  return (next) => (call) => {
    const settings = means.settingsOf(call.target);
    if (!(wishOf(call) ?? settings.enabled) || isBatch(call)) return next(call);
    means.shares.of(call.target).offered();
    const second = secondOf(call, settings);
    const delayMs = settings.delayMs ?? means.usualMs(call.target, call.streaming);
    if (!second || delayMs === undefined || !hasTime(call, delayMs, means.clock)) return next(call);
    return new Race(call, second, settings, next, means).run(delayMs);
  };
}

function wishOf({ request }: RoutedCall): boolean | undefined {
  return request.$typeName === "llmgateway.v1.ChatRequest" ? request.resilience?.hedge : undefined;
}

function secondOf({ target, alternatives, parking, request }: RoutedCall, { second }: HedgeSettings) {
  if (parking?.parked !== undefined) return undefined;
  // Vectors of different models do not compare.
  if (second === "same" || request.$typeName !== "llmgateway.v1.ChatRequest") return target;
  return alternatives[0];
}

function hasTime({ deadlineAtMs }: RoutedCall, delayMs: number, clock: Clock): boolean {
  return deadlineAtMs === undefined || clock.now() + delayMs < deadlineAtMs;
}

/** Two attempts at one call, of which the second begins later if at all. */
class Race {
  private readonly call: RoutedCall;
  private readonly target: Target;
  private readonly settings: HedgeSettings;
  private readonly next: Service<RoutedCall>;
  private readonly means: HedgeMeans;

  constructor(
    call: RoutedCall,
    target: Target,
    settings: HedgeSettings,
    next: Service<RoutedCall>,
    means: HedgeMeans,
  ) {
    this.call = call;
    this.target = target;
    this.settings = settings;
    this.next = next;
    this.means = means;
  }

  async run(delayMs: number): Promise<Reply> {
    const first = this.begin(this.call);
    const late = await first.endsWithin(delayMs);
    if (!late || this.call.signal.aborted) return first.heard();
    if (!this.take()) return first.heard();
    const second = this.begin({ ...this.call, target: this.target, trigger: "hedge" });
    const winner = await Promise.any([first.spoke(), second.spoke()]).catch(() => undefined);
    this.means.onHedge(this.call, this.outcome(winner, first, second));
    if (!winner) return first.heard();
    const loser = winner === first ? second : first;
    await loser.lose();
    return winner.heard();
  }

  private take(): boolean {
    const taken = this.means.shares.of(this.call.target).take({ ratio: this.settings.maxShare, least: 0 });
    if (!taken) this.means.onHedge(this.call, "capped");
    return taken;
  }

  private begin(call: RoutedCall): Runner {
    return new Runner(call, this.next, this.means.clock);
  }

  private outcome(winner: Runner | undefined, first: Runner, second: Runner): HedgeOutcome {
    if (winner === second) return "won";
    if (second.refused) return "refused";
    if (winner === first) return "lost";
    const { aborted, reason } = this.call.signal;
    return aborted && toFailure(reason).outcome === "abandoned" ? "abandoned" : "failed";
  }
}

/** One attempt, with a signal of its own. */
class Runner {
  /** Whether it failed before it reached a provider, though nobody had left. */
  refused = false;
  private readonly bounded: Bounded;
  private readonly clock: Clock;
  private readonly streaming: boolean;
  private readonly reply: Promise<Reply>;
  /** Whether the attempt reached a provider. */
  private made = false;
  private onOver: (() => void) | undefined;

  constructor(call: RoutedCall, next: Service<RoutedCall>, clock: Clock) {
    this.clock = clock;
    this.streaming = call.streaming;
    this.bounded = new Bounded(call.signal, clock);
    const begun: RoutedCall["begun"] = (attempt) => {
      this.made = true;
      call.begun?.(attempt);
    };
    this.reply = next({ ...call, signal: this.bounded.signal, begun });
    this.reply.then(
      () => this.onOver?.(),
      () => {
        this.refused = !this.made && !call.signal.aborted;
        this.bounded.end();
        this.onOver?.();
      },
    );
  }

  /** Resolves to whether it is late; at once when it speaks or fails. */
  endsWithin(ms: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = this.clock.after(ms, () => resolve(true));
      this.onOver = () => {
        timer.cancel();
        resolve(false);
      };
    });
  }

  /** Itself, as soon as it speaks. */
  spoke(): Promise<this> {
    return this.reply.then(() => this);
  }

  async heard(): Promise<Reply> {
    const reply = await this.reply;
    if (!this.streaming) {
      this.bounded.end();
      return reply;
    }
    return { ...reply, events: endAfter(reply.events, () => this.bounded.end()) };
  }

  /** Breaks it off, and waits a moment for its account. */
  async lose(): Promise<void> {
    this.bounded.abort(new Failure("hedge_lost", "another attempt was faster"));
    const ended = this.reply.then(
      (reply) => dismiss(reply.events),
      () => {},
    );
    await new Promise<void>((resolve) => {
      const timer = this.clock.after(LAST_WORDS_MS, resolve);
      ended.finally(() => {
        timer.cancel();
        this.bounded.end();
        resolve();
      });
    });
  }
}

/** What spoke at the same moment is over by its own signal: reading on has it settled as what lost. */
async function dismiss(events: AsyncIterable<Batch>): Promise<void> {
  try {
    for await (const _ of events) break;
  } catch {
    // By its own signal: that is what was wanted.
  }
}
