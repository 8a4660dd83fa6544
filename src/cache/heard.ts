/** What all have read of a reply, for who comes later: pieces of one text become one, and take far less room. */
import type { StreamResponse } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { type Batch, event } from "../core/reply.ts";
import { isText } from "./recording.ts";
import { charsSize, sizeOf } from "./size.ts";

/** Texts are not made longer than that, so that they are quick to be joined. */
const PIECE_CHARS = 4_096;

export class Heard {
  private events: StreamResponse[] = [];
  /** The last of them, while it is a text that may go on. */
  private open: StreamResponse | undefined;
  private size = 0;

  get bytes(): number {
    return this.size;
  }

  add(batch: Batch): void {
    for (const one of batch) if (!this.goesOn(one)) this.take(one);
  }

  /** Not to be changed by whoever is given it, and not changed here any more. */
  told(): Batch | undefined {
    this.open = undefined;
    return this.events.length > 0 ? [...this.events] : undefined;
  }

  forget(): void {
    this.events = [];
    this.open = undefined;
    this.size = 0;
  }

  private take(one: StreamResponse): void {
    const taken = event(one);
    this.events.push(taken);
    this.size += sizeOf(taken);
    this.open = isText(taken) ? taken : undefined;
  }

  private goesOn(one: StreamResponse): boolean {
    const { open } = this;
    const { token, index } = one;
    if (open?.token === undefined || token === undefined || open.index !== index) return false;
    if (open.token.length >= PIECE_CHARS || !isText(one)) return false;
    open.token += token;
    this.size += charsSize(token);
    return true;
  }
}
