/** A stream as server-sent events: one write for each batch, comment pings while nothing comes. */
import type { DescMessage, Message } from "@bufbuild/protobuf";
import type { Clock } from "../../core/clock.ts";
import type { Failure } from "../../core/failure.ts";
import { toErrorEvent } from "../errors.ts";
import type { NodeReply } from "../node.ts";

export interface SseOptions {
  readonly clock: Clock;
  readonly pingIntervalMs: number;
  /** Aborted when the call is over for the caller, who may have left. */
  readonly signal: AbortSignal;
  /** The type of the events. */
  readonly output: DescMessage;
  /** JSON text of one event. */
  readonly encode: (event: Message) => string;
  readonly headers: () => Record<string, string>;
}

/** Writes a stream to a reply. The head is sent with the first event or the first ping. */
export class SseWriter {
  private readonly reply: NodeReply;
  private readonly options: SseOptions;
  private readonly ping: { refresh(): void; cancel(): void };

  constructor(reply: NodeReply, options: SseOptions) {
    this.reply = reply;
    this.options = options;
    const { clock, pingIntervalMs } = options;
    this.ping = clock.after(pingIntervalMs, () => {
      this.open();
      if (reply.writableLength === 0) reply.write(": ping\n\n");
      this.ping.refresh();
    });
  }

  /** Waits while the caller is slow. Rejects as the batches do. */
  async send(batches: AsyncIterable<readonly Message[]>): Promise<void> {
    for await (const batch of batches) {
      this.ping.refresh();
      this.open();
      let text = "";
      for (const event of batch) text += `data: ${this.options.encode(event)}\n\n`;
      if (!this.reply.write(text)) await drained(this.reply, this.options.signal);
    }
  }

  end(): void {
    this.ping.cancel();
    this.reply.end();
  }

  /** @returns false when nothing was sent yet, so that the failure can have a status of its own */
  fail(failure: Failure): boolean {
    this.ping.cancel();
    if (!this.reply.headersSent) return false;
    this.reply.end(
      `event: error\ndata: ${this.options.encode(toErrorEvent(failure, this.options.output))}\n\n`,
    );
    return true;
  }

  private open(): void {
    if (this.reply.headersSent) return;
    this.reply.writeHead(200, {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-cache, no-transform",
      "x-accel-buffering": "no",
      ...this.options.headers(),
    });
  }
}

/** Resolves too once the signal is aborted: a reply over HTTP/2 that is gone drains no more, and does not say that it is. */
function drained(reply: NodeReply, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      reply.off("drain", done);
      signal.removeEventListener("abort", done);
      resolve();
    };
    reply.on("drain", done);
    signal.addEventListener("abort", done);
    if (signal.aborted) done();
  });
}
