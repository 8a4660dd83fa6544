/** What a streamed body is made of: frames of text, by its content type. It knows no provider. */
import { EventStreamReader } from "./eventstream.ts";
import { SseReader } from "./sse.ts";

/** Reads one stream; where the bytes are cut makes no difference to the frames. */
export interface FrameReader {
  /** Text outside of all frames, as it came. */
  readonly strayText: string;
  /**
   * The frames that these bytes completed.
   *
   * @throws Failure `malformed_reply`, once the frames before it were given
   */
  push(bytes: Uint8Array): string[];
  /**
   * The stream is over.
   *
   * @throws Failure as `push` does, or `cut` inside of a frame that cannot count as whole
   */
  end(): string[];
}

/** Undefined for what is no stream. */
export function frameReader(contentType: string): FrameReader | undefined {
  return READERS.get(contentType.split(";", 1)[0]?.trim().toLowerCase() ?? "")?.();
}

const READERS: ReadonlyMap<string, () => FrameReader> = new Map<string, () => FrameReader>([
  ["text/event-stream", () => new SseReader()],
  ["application/vnd.amazon.eventstream", () => new EventStreamReader()],
]);
