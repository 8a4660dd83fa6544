/** A stream as its reader has it: the events, the running cost, the receipt at the end. It does not know the transport. */
import type { StreamResponse } from "../../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { StreamError } from "../../../gen/ts/llmgateway/v1/error_pb.ts";
import type { Receipt } from "../../../gen/ts/llmgateway/v1/receipt_pb.ts";
import type { Call } from "./call.ts";
import { cancelled, type GatewayError, readStreamFailure } from "./error.ts";

/** A stream that is under way at the gateway. */
export interface Opened {
  readonly call: Call;
  /** The first event, and what comes behind it. */
  readonly first: Promise<{
    readonly first: IteratorResult<StreamResponse>;
    readonly rest: AsyncIterator<StreamResponse>;
  }>;
}

/** Opens the stream, again where that is worth it. Throws a GatewayError for a request that cannot be. */
export type Open = (leaving: AbortSignal) => Opened;

/**
 * The answer as it comes. Nothing is sent until it is read, by `for await` or by `text()`, and it is read once.
 *
 * A reader who leaves the loop aborts the call. A failure is thrown as a GatewayError, also when it comes after the
 * first event: the event that tells it is not handed out, its receipt is in the error.
 */
export class GatewayStream implements AsyncIterable<StreamResponse> {
  /** What the call has cost so far, in US dollars; absent while it is not known. */
  costUsd: number | undefined;
  /** The same, exactly, in trillionths of a dollar. */
  costPicoUsd: bigint | undefined;
  /** Where the cost comes from: `estimated` until the receipt is there, then as the receipt says. */
  provenance = "unknown";
  private readonly open: Open;
  private readonly leaving = new AbortController();
  private readonly settled = Promise.withResolvers<Receipt>();
  private call: Call | undefined;
  private isRead = false;

  constructor(open: Open) {
    this.open = open;
    // Whoever reads the stream sees its failure there; the receipt need not be looked at.
    this.settled.promise.catch(() => {});
  }

  /**
   * Who served, what it cost, and every attempt: once the stream was read to its end. Rejects as the stream does. It
   * does not read the stream by itself.
   */
  get receipt(): Promise<Receipt> {
    return this.settled.promise;
  }

  /** The id by which the gateway's log knows the call; absent until the stream is read. */
  get requestId(): string | undefined {
    return this.call?.requestId;
  }

  /** Ends the call and the provider's work. The reader gets a GatewayError of kind `cancelled` with the cost so far. */
  abort(): void {
    this.leaving.abort();
    if (!this.isRead) this.settled.reject(cancelled(undefined, undefined));
  }

  /** Reads the stream to its end, and gives the whole text of the (first) answer. */
  async text(): Promise<string> {
    let text = "";
    for await (const { token, index = 0 } of this) if (index === 0) text += token ?? "";
    return text;
  }

  /** Throws when the stream was read before: its events are gone. */
  [Symbol.asyncIterator](): AsyncGenerator<StreamResponse, void, undefined> {
    if (this.isRead) throw new TypeError("a stream is read once; ask for another");
    this.isRead = true;
    return this.read();
  }

  private async *read(): AsyncGenerator<StreamResponse, void, undefined> {
    let isOver = false;
    try {
      const opened = this.open(this.leaving.signal);
      this.call = opened.call;
      yield* this.events(opened);
      isOver = true;
    } catch (error) {
      isOver = true;
      this.settled.reject(error);
      throw error;
    } finally {
      if (!isOver) this.leave();
      this.call?.close();
    }
  }

  private async *events(opened: Opened): AsyncGenerator<StreamResponse, void, undefined> {
    const { call } = opened;
    const { first, rest } = await opened.first;
    let broken: StreamError | undefined;
    let receipt: Receipt | undefined;
    try {
      for (let result = first; !result.done; result = await rest.next()) {
        const event = result.value;
        // The protocol's own error comes behind it.
        broken = event.error;
        if (broken) continue;
        this.note(event);
        if (event.receipt) {
          receipt = event.receipt;
          this.settled.resolve(receipt);
        }
        yield event;
      }
      if (!receipt) throw new Error("it ended without a receipt");
    } catch (cause) {
      if (broken) throw readStreamFailure(broken, cause, call.requestId);
      throw this.priced(call.failure(cause, true));
    }
  }

  private note({ costUsd, totalCostUsd, costPicoUsd, receipt }: StreamResponse): void {
    this.costUsd = totalCostUsd ?? costUsd ?? this.costUsd;
    this.costPicoUsd = costPicoUsd ?? this.costPicoUsd;
    if (receipt?.cost) this.provenance = receipt.cost.provenance;
    else if (this.costUsd !== undefined) this.provenance = "estimated";
  }

  /** With the cost so far, where nobody could send a receipt. */
  private priced(error: GatewayError): GatewayError {
    if (error.receipt) return error;
    const { costUsd, costPicoUsd, provenance } = this;
    return Object.assign(error, { costUsd, costPicoUsd, provenance });
  }

  /** The reader left the loop. */
  private leave(): void {
    this.leaving.abort();
    if (this.call) this.settled.reject(this.priced(this.call.failure(this.leaving.signal.reason)));
  }
}
