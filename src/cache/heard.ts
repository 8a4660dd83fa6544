/** What all have read of a reply, for who comes later: pieces of one text become one, and take far less room. */
import type { StreamResponse } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { type Batch, event } from "../core/reply.ts";
import { Joined } from "./joined.ts";
import { sizeOf } from "./size.ts";

/** Texts are not made longer than that, so that they are quick to be joined. */
const PIECE_CHARS = 4_096;

export class Heard {
  private events: StreamResponse[] = [];
  private readonly text = new Joined(PIECE_CHARS);
  private size = 0;

  get bytes(): number {
    return this.size;
  }

  add(batch: Batch): void {
    for (const one of batch) {
      const added = this.text.add(one);
      if (added === undefined) this.take(one);
      else this.size += added;
    }
  }

  /** Not to be changed by whoever is given it, and not changed here any more. */
  told(): Batch | undefined {
    this.text.close();
    return this.events.length > 0 ? [...this.events] : undefined;
  }

  forget(): void {
    this.events = [];
    this.text.close();
    this.size = 0;
  }

  private take(one: StreamResponse): void {
    const taken = event(one);
    this.events.push(taken);
    this.size += sizeOf(taken);
    this.text.take(taken);
  }
}
