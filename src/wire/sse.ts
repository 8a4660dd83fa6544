/**
 * Server-sent events out of bytes, cut anywhere. It gives the `data` of each
 * event as text and knows nothing of what is in it.
 */
import { createParser, type EventSourceParser, type ParseError } from "eventsource-parser";
import { Failure } from "../core/failure.ts";

export interface SseOptions {
  /** The most that one event may hold. */
  readonly maxEventChars?: number;
}

/** A picture is one event, and Google draws some of 20 MB; as much as a whole reply may have. */
const DEFAULT_MAX_EVENT_CHARS = 64 * 1024 * 1024;
const MAX_STRAY_CHARS = 64 * 1024;

/** Reads one stream; where the bytes are cut makes no difference to the events. */
export class SseReader {
  private readonly decoder = new TextDecoder();
  private readonly parser: EventSourceParser;
  private readonly maxEventChars: number;
  /** The beginning of a line whose end has not come, in pieces: joined once, however many there are. */
  private partial: string[] = [];
  private partialChars = 0;
  private events: string[] = [];
  private strays = "";
  private failure: Failure | undefined;

  constructor(options: SseOptions = {}) {
    const maxEventChars = options.maxEventChars ?? DEFAULT_MAX_EVENT_CHARS;
    this.maxEventChars = maxEventChars;
    this.parser = createParser({
      maxBufferSize: maxEventChars,
      onEvent: ({ data }) => {
        if (data.length > maxEventChars) this.failure ??= tooLarge(maxEventChars);
        if (!this.failure && !isPing(data)) this.events.push(data);
      },
      onError: (error) => this.note(error),
    });
  }

  /**
   * Lines that are no field of an event, as they came, at most 64 Ki characters
   * of them: Vertex AI puts an error into a running stream as bare JSON.
   */
  get strayText(): string {
    return this.strays;
  }

  /**
   * The `data` of each event that these bytes completed, and that says something.
   *
   * @throws Failure `malformed_reply` for an event that is too large, once the events before it were given
   */
  push(bytes: Uint8Array): string[] {
    this.feed(this.decoder.decode(bytes, { stream: true }));
    return this.take();
  }

  /**
   * The stream is over. Its last event counts even without the blank line that
   * should end it, since providers leave that out.
   *
   * @throws Failure as `push` does
   */
  end(): string[] {
    this.feed(`${this.decoder.decode()}\n\n`);
    return this.take();
  }

  /** Hands over whole lines only: of a stray line that comes in pieces the parser drops the first. */
  private feed(text: string): void {
    if (this.failure) return;
    const end = endOfLastLine(text);
    if (end > 0) this.parser.feed(this.complete(text.slice(0, end)));
    if (end < text.length) this.hold(text.slice(end));
  }

  private complete(lines: string): string {
    if (this.partial.length === 0) return lines;
    const joined = this.partial.join("") + lines;
    this.partial = [];
    this.partialChars = 0;
    return joined;
  }

  private hold(piece: string): void {
    this.partial.push(piece);
    this.partialChars += piece.length;
    if (this.partialChars > this.maxEventChars) this.failure ??= tooLarge(this.maxEventChars);
  }

  private take(): string[] {
    const events = this.events;
    if (this.failure && events.length === 0) throw this.failure;
    this.events = [];
    return events;
  }

  private note(error: ParseError): void {
    if (error.type === "max-buffer-size-exceeded") {
      this.failure ??= tooLarge(this.maxEventChars);
    } else if (error.type === "unknown-field" && error.line !== undefined) {
      const room = MAX_STRAY_CHARS - this.strays.length;
      if (room > 0) this.strays += `${error.line}\n`.slice(0, room);
    }
  }
}

/**
 * What keeps a connection alive, and should be a comment: relays send an event without data, and Vertex AI's endpoint for
 * models of others `data: : keepalive`.
 */
function isPing(data: string): boolean {
  return /^\s*(?::|$)/.test(data);
}

/** After the last line feed; or carriage return, should a provider end lines with that alone. */
function endOfLastLine(text: string): number {
  const end = text.lastIndexOf("\n") + 1;
  if (end === text.length) return end;
  return Math.max(end, text.indexOf("\r", end) < 0 ? 0 : text.lastIndexOf("\r") + 1);
}

function tooLarge(maxChars: number): Failure {
  return new Failure("malformed_reply", "the provider sent an event that is too large", {
    operator: `server-sent event of more than ${maxChars} characters`,
  });
}
