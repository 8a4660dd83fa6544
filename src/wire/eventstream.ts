/**
 * The messages of an AWS event stream out of bytes, cut anywhere. It checks and takes apart
 * what surrounds each payload, and knows nothing of what is in it.
 */
import { crc32 } from "node:zlib";
import { EventStreamCodec } from "@smithy/core/event-streams";
import { Failure } from "../core/failure.ts";
import { messageOf } from "../core/message.ts";

export interface EventStreamOptions {
  /** The most that one message may hold. */
  readonly maxMessageBytes?: number;
}

/** What AWS's own readers take: https://github.com/awslabs/aws-c-event-stream */
const DEFAULT_MAX_MESSAGE_BYTES = 24 * 1024 * 1024;
/** Length of the message, length of its headers, and the checksum of both. */
const PRELUDE_BYTES = 12;
/** The prelude and the checksum of the whole. */
const LEAST_BYTES = 16;

/** Gives each message as `{"<event type>": <payload>}`; exceptions and errors stand where the event type does. */
export class EventStreamReader {
  /** Every byte belongs to a message. */
  readonly strayText = "";
  private readonly decoder = new TextDecoder();
  private readonly codec = new EventStreamCodec(
    (bytes) => this.decoder.decode(bytes),
    (text) => Buffer.from(text),
  );
  private readonly maxMessageBytes: number;
  private readonly prelude = Buffer.alloc(PRELUDE_BYTES);
  /** The message whose end has not come; undefined until its prelude has. */
  private message: Buffer | undefined;
  /** Bytes of `message`, or else of `prelude`, that are there. */
  private filled = 0;
  private failure: Failure | undefined;

  constructor(options: EventStreamOptions = {}) {
    this.maxMessageBytes = options.maxMessageBytes ?? DEFAULT_MAX_MESSAGE_BYTES;
  }

  /**
   * The messages that these bytes completed.
   *
   * @throws Failure `malformed_reply`, once the messages before it were given
   */
  push(bytes: Uint8Array): string[] {
    const frames: string[] = [];
    const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    try {
      for (let at = 0; at < chunk.length && !this.failure; ) at += this.take(chunk, at, frames);
    } catch (error) {
      this.failure = asFailure(error);
    }
    if (this.failure && frames.length === 0) throw this.failure;
    return frames;
  }

  /**
   * The stream is over.
   *
   * @throws Failure `cut` inside of a message, or as `push` does
   */
  end(): string[] {
    if (this.failure) throw this.failure;
    if (this.filled > 0) {
      throw new Failure("cut", "the provider ended the stream in the middle of a message", {
        operator: `event stream ended ${this.filled} bytes into a message`,
      });
    }
    return [];
  }

  /** Takes what completes a prelude or a message, and no more; a message that lies there whole is not copied. */
  private take(chunk: Buffer, at: number, frames: string[]): number {
    if (!this.message && this.filled === 0 && chunk.length - at >= PRELUDE_BYTES) {
      const length = this.lengthOf(chunk.subarray(at, at + PRELUDE_BYTES));
      if (chunk.length - at >= length) {
        frames.push(this.decode(chunk.subarray(at, at + length)));
        return length;
      }
    }
    const into = this.message ?? this.prelude;
    const taken = chunk.copy(into, this.filled, at);
    this.filled += taken;
    if (this.filled < into.length) return taken;
    if (this.message) {
      this.message = undefined;
      this.filled = 0;
      frames.push(this.decode(into));
    } else {
      this.message = Buffer.allocUnsafe(this.lengthOf(into));
      into.copy(this.message);
    }
    return taken;
  }

  /** Checked before the rest has come, so that a wrong length is neither waited nor made room for. */
  private lengthOf(prelude: Buffer): number {
    if (crc32(prelude.subarray(0, 8)) !== prelude.readUInt32BE(8)) throw new Error("wrong prelude checksum");
    const length = prelude.readUInt32BE(0);
    if (length < LEAST_BYTES) throw new Error(`message of ${length} bytes`);
    if (length > this.maxMessageBytes)
      throw new Error(`message of ${length} bytes, of which ${this.maxMessageBytes} may come`);
    return length;
  }

  private decode(message: Buffer): string {
    const { headers, body } = this.codec.decode(message);
    const text = (name: string) => String(headers[name]?.value ?? "");
    if (text(":message-type") === "error")
      return frame(text(":error-code"), JSON.stringify({ message: text(":error-message") }));
    const payload = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString();
    return frame(text(":event-type") || text(":exception-type"), payload);
  }
}

function frame(type: string, payload: string): string {
  return `{${JSON.stringify(type)}:${payload || "{}"}}`;
}

/** The codec throws plain errors, and RangeErrors where lengths inside of a message are wrong. */
function asFailure(error: unknown): Failure {
  return new Failure("malformed_reply", "the provider sent a stream that cannot be read", {
    operator: `event stream: ${messageOf(error)}`,
    cause: error,
  });
}
