/**
 * One request and its answer on a real socket: writes, waits, ends it in every way that it can end, and keeps its
 * meter record true. It knows no wire format and decides nothing.
 */
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import type { MeterRecord, Outcome, RequestMeter } from "./meter.ts";
import type { Random } from "./random.ts";

/** A whole answer: status, headers and body. */
export interface Answer {
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;
  readonly body: string;
}

/** What the server knows of a request before it is read. */
export interface Arrival {
  /** Unique in this emulator; sent in the header by which the format names a request. */
  readonly id: string;
  /** The how-manieth request of this emulator it is, from 0. */
  readonly ordinal: number;
  /** Draws by seed and ordinal, for ids and padding. */
  readonly random: Random;
}

const LARGEST_BODY_BYTES = 64 * 1024 * 1024;

export class Exchange {
  readonly arrival: Arrival;
  readonly record: MeterRecord;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  /** How it ends if the client stays. */
  #planned: Exclude<Outcome, "open"> = "aborted";
  #destroyed = false;

  constructor(request: IncomingMessage, response: ServerResponse, arrival: Arrival, meter: RequestMeter) {
    this.#request = request;
    this.#response = response;
    this.arrival = arrival;
    this.record = meter.open(arrival.id, request.url ?? "");
    response.once("close", () => {
      const asPlanned = response.writableFinished || this.#destroyed;
      meter.close(this.record, asPlanned ? this.#planned : "aborted");
    });
  }

  get headers(): IncomingMessage["headers"] {
    return this.#request.headers;
  }

  get query(): URLSearchParams {
    return new URL(this.record.path, "http://emulator").searchParams;
  }

  /** True once the connection is gone, whoever closed it. */
  get gone(): boolean {
    return this.#response.destroyed || this.#response.closed;
  }

  /** The whole body as text, or undefined when it is larger than 64 MiB or the client left. */
  body(): Promise<string | undefined> {
    const request = this.#request;
    return new Promise((resolve) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      request.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes <= LARGEST_BODY_BYTES) chunks.push(chunk);
      });
      request.once("end", () => {
        resolve(bytes <= LARGEST_BODY_BYTES ? Buffer.concat(chunks).toString("utf8") : undefined);
      });
      request.once("close", () => resolve(undefined));
    });
  }

  /** Answers all at once. */
  answer(answer: Answer, outcome: "served" | "error"): void {
    if (this.gone) return;
    const bytes = Buffer.byteLength(answer.body);
    this.#planned = outcome;
    this.#head(answer.status, { ...answer.headers, "content-length": bytes });
    this.record.bytesWritten += bytes;
    this.#response.end(answer.body);
  }

  /** Begins an answer that comes in pieces: `write` them, then `end`. The head leaves with the first piece. */
  begin(status: number, headers: OutgoingHttpHeaders): void {
    if (this.gone) return;
    this.#head(status, headers);
  }

  /** Writes a piece; resolves at once unless the reader is behind, then when it has caught up or left. */
  write(piece: string | Uint8Array): Promise<void> | undefined {
    if (this.gone) return undefined;
    this.record.bytesWritten += Buffer.byteLength(piece);
    return this.#response.write(piece) ? undefined : this.#until("drain");
  }

  end(outcome: "served" | "error" | "cut"): void {
    if (this.gone) return;
    this.#planned = outcome;
    this.#response.end();
  }

  /** Waits; returns early when the client leaves. */
  pause(delayMs: number): Promise<void> {
    if (this.gone || delayMs === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#response.off("close", done);
        resolve();
      };
      const timer = setTimeout(done, delayMs);
      this.#response.once("close", done);
    });
  }

  /** Never answers; resolves when the client has left. */
  async hang(): Promise<void> {
    if (!this.gone) await this.#until("close");
  }

  /** Destroys the connection once the kernel has all that was written. */
  async cut(): Promise<void> {
    const socket = this.#response.socket;
    if (this.gone || socket === null) return;
    this.#planned = "cut";
    const written = new Promise((resolve) => socket.write("", resolve));
    await Promise.race([written, this.#until("close")]);
    if (this.gone) return;
    this.#destroyed = true;
    socket.destroy();
  }

  /** Resets the connection (TCP RST). */
  reset(): void {
    this.#planned = "cut";
    this.#destroyed = true;
    this.#response.socket?.resetAndDestroy();
  }

  #head(status: number, headers: OutgoingHttpHeaders): void {
    this.record.status = status;
    this.#response.writeHead(status, headers);
  }

  #until(event: "drain" | "close"): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        this.#response.off("close", done);
        this.#response.off(event, done);
        resolve();
      };
      this.#response.once("close", done);
      if (event !== "close") this.#response.once(event, done);
    });
  }
}
