/**
 * Has what is said in a chat kept, once the chat is over: its request as moderation left it, and as much of the answer
 * as the caller was given. It knows neither what is taken out of it nor where it is kept.
 */
import type { ChatRequest, Choice, StreamResponse } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { Call, Layer, ModelRequest, RequestContext, Transcript } from "../core/call.ts";
import { type FailureKind, toFailure } from "../core/failure.ts";
import { type Batch, Choices } from "../core/reply.ts";

export interface CaptureMeans {
  /** Whether it may be kept, of whoever asks. */
  mayKeep(context: RequestContext): boolean;
  /** About as much of an answer is gathered. */
  readonly maxChars: number;
  keep(said: Said): void;
}

/** All that was said in a call. */
export interface Said {
  readonly context: RequestContext;
  readonly request: ChatRequest;
  readonly choices: readonly Choice[];
  /** Whether there was more of the answer. */
  readonly truncated: boolean;
  /** How much it holds in memory, beside the request. */
  readonly chars: number;
}

/** What was refused is in nobody's hands but the caller's, and what nobody could look at may be such. */
const NEVER_KEPT: readonly FailureKind[] = ["content_refused", "moderation_unavailable"];

/** Above moderation, whose word it needs, with `heard` below it. */
export function capture(means: CaptureMeans): Layer {
  return (next) => async (call) => {
    const { request, context, tally } = call;
    if (request.$typeName !== "llmgateway.v1.ChatRequest" || request.sensitive || !means.mayKeep(context))
      return next(call);
    const capture = new Capture(context, means);
    tally.transcript = capture;
    try {
      const reply = await next(call);
      return { ...reply, events: capture.watch(reply.events) };
    } catch (error) {
      capture.end(error);
      throw error;
    }
  };
}

/** Below moderation: what comes here may be kept. */
export function heard(): Layer {
  return (next) => (call: Call) => {
    call.tally.transcript?.asked(call.request);
    return next(call);
  };
}

class Capture implements Transcript {
  private readonly context: RequestContext;
  private readonly means: CaptureMeans;
  private request: ChatRequest | undefined;
  private readonly choices = new Choices();
  private chars = 0;
  private truncated = false;
  private isToldBelow = false;

  constructor(context: RequestContext, means: CaptureMeans) {
    this.context = context;
    this.means = means;
  }

  asked(request: ModelRequest): void {
    if (request.$typeName === "llmgateway.v1.ChatRequest") this.request = request;
  }

  unrestored(events: Batch): void {
    this.isToldBelow = true;
    this.gather(events);
  }

  async *watch(events: AsyncIterable<Batch>): AsyncGenerator<Batch> {
    let failure: unknown;
    try {
      for await (const batch of events) {
        if (!this.isToldBelow) this.gather(batch);
        yield batch;
      }
    } catch (error) {
      failure = error;
      throw error;
    } finally {
      this.end(failure);
    }
  }

  /** @param error undefined where it ended well, or nobody read on */
  end(error: unknown): void {
    const { context, request, choices, truncated, chars } = this;
    if (!request) return;
    if (error !== undefined) {
      const { kind, suspended } = toFailure(error);
      // One that is suspended goes on elsewhere, and is told there.
      if (suspended || NEVER_KEPT.includes(kind)) return;
    }
    this.means.keep({ context, request, choices: choices.list(), truncated, chars });
  }

  private gather(events: Batch): void {
    for (const event of events) {
      const chars = charsOf(event);
      if (this.chars >= this.means.maxChars && chars > 0) {
        this.truncated = true;
        continue;
      }
      this.chars += chars;
      this.choices.add(event);
    }
  }
}

function charsOf(event: StreamResponse): number {
  if (event.token !== undefined) return event.token.length;
  const { refusal = "", reasoning, toolCall, citation, providerPart } = event;
  const { id = "", name = "", arguments: json = "", input = "" } = toolCall ?? {};
  const { title = "", url = "", quote = "" } = citation ?? {};
  const texts = [refusal, reasoning?.text ?? "", id, name, json, input, title, url, quote];
  return texts.reduce((sum, { length }) => sum + length, providerPart?.json.length ?? 0);
}
