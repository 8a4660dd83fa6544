/** Anthropic's stream, event by event. It knows neither sockets nor server-sent events. */
import type { Message } from "@anthropic-ai/sdk/resources/messages";
import type { StreamResponse } from "../../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { Usage } from "../../../gen/ts/llmgateway/v1/receipt_pb.ts";
import { Failure } from "../../core/failure.ts";
import { event } from "../../core/reply.ts";
import type { StreamDecoder } from "../dialect.ts";
import { isObject, malformed, parseObject } from "../malformed.ts";
import { count, textOf } from "../values.ts";
import { classifyInReply } from "./classify.ts";
import { ContentDecoder } from "./content.ts";
import { decodeFinishReason } from "./finish.ts";
import { decodeUsage, replaced, type WireUsage } from "./usage.ts";

/** Any of the SDK's events, and those to come. */
interface WireEvent {
  readonly type?: unknown;
  readonly message?: Partial<Pick<Message, "model" | "usage">>;
  readonly index?: unknown;
  readonly content_block?: unknown;
  readonly delta?: { readonly stop_reason?: unknown };
  readonly usage?: unknown;
}

/**
 * The first figures count the prompt and the first token of the answer; only
 * those at its end count the answer, and until then all are an estimate.
 */
export class ClaudeStream implements StreamDecoder {
  usage: Usage | undefined;
  servedModel = "";
  private readonly content = new ContentDecoder();
  private figures: WireUsage = {};
  /** Whether the whole answer is in the figures. */
  private counted = false;
  private finishReason: string | undefined;
  private over = false;

  push(data: string): StreamResponse[] {
    if (this.over) return [];
    const wire: WireEvent = parseObject(data);
    const events: StreamResponse[] = [];
    try {
      this.read(wire, events);
    } catch (error) {
      if (error instanceof TypeError) throw malformed(error.message, data, error);
      throw error;
    }
    return events;
  }

  end(): StreamResponse[] {
    if (this.over) return [];
    throw new Failure("cut", "the provider ended the stream before the model had finished", {
      operator: `stream closed without message_stop; stop reason ${this.finishReason ?? "none"}`,
    });
  }

  /** Events of other types, such as pings, say nothing. */
  private read(wire: WireEvent, events: StreamResponse[]): void {
    switch (wire.type) {
      case "message_start":
        this.servedModel = textOf(wire.message?.model) || this.servedModel;
        this.note(wire.message?.usage, false);
        return;
      case "content_block_start":
        this.content.start(wire.index, wire.content_block, events);
        return;
      case "content_block_delta":
        this.content.delta(wire.index, wire.delta, events);
        return;
      case "content_block_stop":
        this.content.stop(wire.index, events);
        return;
      case "message_delta": {
        // First, so that what is wrong with the rest does not cost the figures.
        this.note(wire.usage, true);
        const reason = textOf(wire.delta?.stop_reason);
        if (reason) this.finishReason = decodeFinishReason(reason);
        return;
      }
      case "message_stop":
        this.finish(events);
        return;
      default: {
        const failure = classifyInReply(wire);
        if (failure) throw failure;
      }
    }
  }

  private note(usage: unknown, final: boolean): void {
    if (!isObject(usage)) return;
    const figures: WireUsage = usage;
    this.counted ||= final && count(figures.output_tokens) !== undefined;
    this.figures = replaced(this.figures, figures);
    this.usage = decodeUsage(this.figures, this.counted ? "measured" : "estimated") ?? this.usage;
  }

  private finish(events: StreamResponse[]): void {
    if (this.finishReason === undefined) throw new TypeError("a message without a reason to stop");
    this.over = true;
    this.content.end(events);
    events.push(event({ done: true, finishReason: this.finishReason }));
  }
}
