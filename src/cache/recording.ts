/**
 * Takes down an answer while it is given, and judges whether it is one to be kept. What is not it lets go of at once,
 * so that it never holds more than an answer may take. It does not know the request.
 */
import type { StreamResponse } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { type Batch, isContent } from "../core/reply.ts";
import { bare, type TimedBatch } from "./answer.ts";
import { Joined } from "./joined.ts";
import { sizeOf } from "./size.ts";

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
  private readonly text = new Joined(PIECE_CHARS);
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
      const added = this.rules.paced ? undefined : this.text.add(one);
      if (added === undefined) events.push(this.taken(one));
      else this.bytes += added;
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
    this.text.close();
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
    this.text.take(kept);
    return kept;
  }
}
