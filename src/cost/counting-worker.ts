/** The thread that counts long texts: one after the other, in its own memory. It knows only what it is sent. */
import { setImmediate } from "node:timers/promises";
import { type MessagePort, parentPort } from "node:worker_threads";
import { counterOf, type Encoding, piecesOf } from "./encodings.ts";

/** A text to count; without one, that the count is not wanted any more. */
export interface CountRequest {
  readonly id: number;
  readonly encoding: Encoding;
  readonly text?: string;
}

export interface CountReply {
  readonly id: number;
  readonly tokens: number;
}

/** Between which it hears what is not wanted any more: some 30 ms. */
const PIECES_AT_ONCE = 64;

class Counting {
  private readonly port: MessagePort;
  private readonly wanted = new Map<number, Required<CountRequest>>();
  private busy = false;

  constructor(port: MessagePort) {
    this.port = port;
    port.on("message", (request: CountRequest) => this.take(request));
  }

  private take({ id, encoding, text }: CountRequest): void {
    if (text === undefined) this.wanted.delete(id);
    else this.wanted.set(id, { id, encoding, text });
    if (!this.busy) void this.work();
  }

  private async work(): Promise<void> {
    this.busy = true;
    // What comes meanwhile is among the values too.
    for (const { id, encoding, text } of this.wanted.values()) {
      const countPiece = await counterOf(encoding);
      let tokens = 0;
      let pieces = 0;
      for (const piece of piecesOf(text)) {
        tokens += countPiece(piece);
        if (++pieces % PIECES_AT_ONCE === 0) await setImmediate();
        if (!this.wanted.has(id)) break;
      }
      if (this.wanted.delete(id)) this.port.postMessage({ id, tokens } satisfies CountReply);
    }
    this.busy = false;
  }
}

if (parentPort) new Counting(parentPort);
