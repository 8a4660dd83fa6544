/** The events of an answer as bytes, to be kept where only bytes can be. It does not know where that is. */
import { fromBinary } from "@bufbuild/protobuf";
import { sizeDelimitedEncode, sizeDelimitedPeek } from "@bufbuild/protobuf/wire";
import { type StreamResponse, StreamResponseSchema } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { bare } from "./answer.ts";

/** Gathers an answer while it is given, up to so many bytes. */
export class EventBytes {
  private readonly maxBytes: number;
  private readonly pieces: Uint8Array[] = [];
  private bytes = 0;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  add(event: StreamResponse): void {
    if (this.full) return;
    const piece = sizeDelimitedEncode(StreamResponseSchema, bare(event));
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
