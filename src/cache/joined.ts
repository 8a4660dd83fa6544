/** Pieces of one text that follow each other, as one: it takes far less room, and is quicker given. */
import type { StreamResponse } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { charsSize } from "./size.ts";

export class Joined {
  private readonly pieceChars: number;
  /** The last event that was taken, while it is a text that may go on. */
  private open: StreamResponse | undefined;

  /** @param pieceChars texts that are longer are not added to */
  constructor(pieceChars: number) {
    this.pieceChars = pieceChars;
  }

  /** It comes next, and may be added to: it must be nobody else's. */
  take(event: StreamResponse): void {
    this.open = isText(event) ? event : undefined;
  }

  /** Nothing is added to what was taken. */
  close(): void {
    this.open = undefined;
  }

  /** Adds it to the one before. Returns the bytes that it takes there; undefined when it is no piece of the same text. */
  add(event: StreamResponse): number | undefined {
    const { open } = this;
    const { token, index } = event;
    if (open?.token === undefined || token === undefined || open.index !== index) return undefined;
    if (open.token.length >= this.pieceChars || !isText(event)) return undefined;
    open.token += token;
    return charsSize(token);
  }
}

/** Whether it is a piece of text, and nothing beside it but what it costs. */
function isText(event: StreamResponse): boolean {
  if (event.token === undefined) return false;
  for (const name in event) {
    if (!BESIDE.has(name) && event[name as keyof StreamResponse] !== undefined) return false;
  }
  return true;
}

const BESIDE = new Set(["$typeName", "token", "index", "costUsd", "costPicoUsd"]);
