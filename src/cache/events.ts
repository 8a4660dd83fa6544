/** The events of an answer as bytes, to be kept where only bytes can be. It does not know where that is. */
import { create, fromBinary } from "@bufbuild/protobuf";
import { sizeDelimitedEncode, sizeDelimitedPeek } from "@bufbuild/protobuf/wire";
import { type StreamResponse, StreamResponseSchema } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { ReceiptSchema } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import { type Answer, bare } from "./answer.ts";

/** Gathers an answer while it is given, up to so many bytes. */
export class EventBytes {
  private readonly maxBytes: number;
  private readonly pieces: Uint8Array[] = [];
  private bytes = 0;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  /** @param dropped fields of the request that the model did not get, once that is known */
  add(event: StreamResponse, dropped?: readonly string[]): void {
    if (this.full) return;
    const piece = sizeDelimitedEncode(StreamResponseSchema, withDropped(event, dropped));
    this.bytes += piece.length;
    if (this.full) this.pieces.length = 0;
    else this.pieces.push(piece);
  }

  /** Undefined when they are too many. */
  whole(): Uint8Array | undefined {
    return this.full ? undefined : Buffer.concat(this.pieces);
  }

  private get full(): boolean {
    return this.bytes > this.maxBytes;
  }
}

/** The event as it is kept: the last one has what the model did not get, where all else has it that is told of a call. */
export function withDropped(event: StreamResponse, dropped: readonly string[] = []): StreamResponse {
  const kept = bare(event);
  if (!event.done || dropped.length === 0) return kept;
  return { ...kept, receipt: create(ReceiptSchema, { dropped: [...dropped] }) };
}

/** Takes that out of the last event again. */
export function droppedFrom(last: StreamResponse | undefined): Pick<Answer, "dropped"> {
  const dropped = last?.receipt?.dropped ?? [];
  delete last?.receipt;
  return dropped.length > 0 ? { dropped } : {};
}

export function decodeEvents(bytes: Uint8Array): StreamResponse[] {
  const events: StreamResponse[] = [];
  for (let rest = bytes; rest.length > 0; ) {
    const { size, offset } = sizeDelimitedPeek(rest);
    if (size === null) throw new Error("the kept events are cut off");
    events.push(fromBinary(StreamResponseSchema, rest.subarray(offset, offset + size)));
    rest = rest.subarray(offset + size);
  }
  return events;
}
