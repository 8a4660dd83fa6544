/**
 * Takes down an answer while it is given, and judges whether it is one to be kept. What is not it lets go of at once,
 * so that it never holds more than an answer may take. It does not know the request.
 */
import type { StreamResponse } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { type Batch, isContent } from "../core/reply.ts";
import { bare, type TimedBatch } from "./answer.ts";
import { charsSize, sizeOf } from "./size.ts";

export interface RecordingRules {
  /** The most that an answer may take. */
  readonly maxBytes: number;
  /** Whether it matters when each piece came. Where it does not, pieces of one text become one. */
  readonly paced: boolean;
}

/** As an answer ends that is whole, and would be no other if it were asked for again. */
const WHOLE = new Set(["stop", "tool_calls"]);
/** So that a long text still comes in pieces. */
const PIECE_CHARS = 1_024;

export class Recording {
  private readonly rules: RecordingRules;
  private batches: TimedBatch[] = [];
  /** The last of the events that are taken down, while it is a text that may go on. */
  private open: StreamResponse | undefined;
  private bytes = 0;
  private hasContent = false;
  private why = "";

  constructor(rules: RecordingRules) {
    this.rules = rules;
  }

  /** @param atMs since the answer's first event */
  add(batch: Batch, atMs: number): void {
    if (this.why) return;
    const events: StreamResponse[] = [];
    for (const one of batch) {
      this.why = this.objectionTo(one);
      if (this.why) break;
      this.hasContent ||= isContent(one) && one.token !== "";
      if (this.rules.paced || !this.goesOn(one)) events.push(this.taken(one));
    }
    if (events.length > 0) this.batches.push({ events, atMs: this.rules.paced ? atMs : 0 });
    if (!this.why && this.bytes > this.rules.maxBytes)
      this.why = `it is larger than ${this.rules.maxBytes} bytes`;
    if (this.why) this.forget();
  }

  /** Why it is not to be kept; empty when it may be, once it has ended. */
  get objection(): string {
    return this.why;
  }

  /** What there is to be kept. Not to be added to from then on. */
  get recorded(): readonly TimedBatch[] {
    if (this.rules.paced) return this.batches;
    return [{ events: this.batches.flatMap(({ events }) => events), atMs: 0 }];
  }

  private forget(): void {
    this.batches = [];
    this.open = undefined;
  }

  private objectionTo({ finishReason, refusal, done, error }: StreamResponse): string {
    if (error) return "it failed";
    if (refusal !== undefined) return "the model refused";
    if (finishReason !== undefined && !WHOLE.has(finishReason))
      return `it ended with ${finishReason || "no reason"}`;
    if (!done) return "";
    if (finishReason === undefined) return "it does not say why it ended";
    return this.hasContent ? "" : "it is empty";
  }

  /** A copy, which more of the same text may be added to. */
  private taken(one: StreamResponse): StreamResponse {
    const kept = bare(one);
    this.bytes += sizeOf(kept);
    this.open = isText(one) ? kept : undefined;
    return kept;
  }

  private goesOn(one: StreamResponse): boolean {
    const { open } = this;
    const { token, index } = one;
    if (open?.token === undefined || token === undefined || open.index !== index) return false;
    if (open.token.length >= PIECE_CHARS || !isText(one)) return false;
    open.token += token;
    this.bytes += charsSize(token);
    return true;
  }
}

/** Whether it is a piece of text, and nothing beside it but what it costs. */
export function isText(one: StreamResponse): boolean {
  if (one.token === undefined) return false;
  for (const name in one) {
    if (!BESIDE.has(name) && one[name as keyof StreamResponse] !== undefined) return false;
  }
  return true;
}

const BESIDE = new Set(["$typeName", "token", "index", "costUsd", "costPicoUsd"]);
