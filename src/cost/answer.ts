/**
 * How much of an answer came, counted as it comes, and how much more its provider may have written by the time
 * that it notices an end. It knows no prices.
 */
import type { StreamResponse } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { estimateTextTokens } from "../core/tokens.ts";

/** How long a provider may write on after its reader has gone: a way there, and a token or more under way. */
const NOTICE_MS = 500;
/** What may be under way of an answer however slowly it comes. */
export const LEAST_UNDER_WAY = 32;
/** What the fastest of the usual models write is half of it. */
const FASTEST_TOKENS_PER_MS = 0.4;
/** Words that come in shorter turns leave no time to think between them: a provider does one or the other. */
const PAUSE_MS = 250;
/** A rate that is measured over less would be that of one read. */
const RATE_WINDOW_MS = 250;

export class Answer {
  /** Tokens that came. */
  tokens = 0;
  /** Of what was said. */
  bytes = 0;
  /** What was said; gathered only where it is to be counted later. */
  readonly said: string[] | undefined;
  private firstAtMs: number | undefined;
  private lastAtMs: number;
  private silentMs = 0;
  private readonly leastUnderWay: number;

  /** @param answers how many are written at the same time */
  constructor(gather: boolean, answers: number, startedAtMs: number) {
    this.leastUnderWay = LEAST_UNDER_WAY * answers;
    this.lastAtMs = startedAtMs;
    this.said = gather ? [] : undefined;
  }

  get begun(): boolean {
    return this.firstAtMs !== undefined;
  }

  /** An event with content. */
  add(event: StreamResponse, nowMs: number): void {
    this.silentMs = this.silentUntil(nowMs);
    this.lastAtMs = nowMs;
    this.firstAtMs ??= nowMs;
    const text = textOf(event);
    this.tokens += estimateTextTokens(text);
    this.bytes += Buffer.byteLength(text);
    this.said?.push(text);
  }

  /**
   * The most tokens that the provider has written, as far as can be seen from here.
   *
   * @param lagMs for how long what comes may lie unread
   */
  mostTokens(nowMs: number, lagMs: number): number {
    return this.tokens + this.underWay(nowMs, lagMs);
  }

  /** What it may have written by the time that one piece more has come. */
  tokensAhead(nowMs: number, lagMs: number): number {
    return this.tokens + 2 * this.underWay(nowMs, lagMs);
  }

  /** For how long it may have thought unseen: until the first word came, and wherever none came for a while. */
  silentUntil(nowMs: number): number {
    const pauseMs = nowMs - this.lastAtMs;
    return this.silentMs + (this.begun && pauseMs < PAUSE_MS ? 0 : pauseMs);
  }

  private underWay(nowMs: number, lagMs: number): number {
    const unread = Math.ceil(lagMs * FASTEST_TOKENS_PER_MS);
    if (this.firstAtMs === undefined) return this.leastUnderWay + unread;
    const perMs = this.tokens / Math.max(nowMs - this.firstAtMs, RATE_WINDOW_MS);
    return Math.max(this.leastUnderWay, Math.ceil(perMs * NOTICE_MS)) + unread;
  }
}

/** The most tokens that a provider writes unseen in so much time, by the time that it notices an end. */
export function hiddenTokens(elapsedMs: number): number {
  return thoughtTokens(elapsedMs + NOTICE_MS);
}

/** The most tokens that a provider thinks in so much time. */
export function thoughtTokens(elapsedMs: number): number {
  return Math.ceil(elapsedMs * FASTEST_TOKENS_PER_MS);
}

/** What an event adds to the answer, as text to be counted. */
export function textOf({ token, reasoning, toolCall, refusal }: StreamResponse): string {
  const text = token ?? refusal ?? reasoning?.text ?? toolCall?.arguments ?? toolCall?.input ?? "";
  return toolCall?.name ? toolCall.name + text : text;
}
