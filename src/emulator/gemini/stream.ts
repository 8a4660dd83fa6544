/**
 * Encodes a script as Google's stream, in either framing: server-sent events with CRLF and no mark at the end, or one
 * JSON list. Recordings: each element has the usage so far; the last has the reason to stop.
 */
import type { Frame } from "../play.ts";
import { pretty } from "./errors.ts";
import { encodeCandidate, type Reply, type ReplyPiece, usageMetadata, written } from "./reply.ts";

/** How elements follow each other on the wire. */
export interface Framing {
  readonly contentType: string;
  frame(element: object, first: boolean): string;
  /** After the last element. */
  readonly end: string;
}

export const SSE: Framing = {
  contentType: "text/event-stream",
  frame: (element) => `data: ${JSON.stringify(element)}\r\n\r\n`,
  end: "",
};

/** What comes without `alt=sse`. */
export const LIST: Framing = {
  contentType: "application/json; charset=UTF-8",
  frame: (element, first) => `${first ? "[" : ",\n"}${pretty(element)}`,
  end: "]\n",
};

export function* encodeStream(reply: Reply, framing: Framing): Generator<Frame> {
  const longest = Math.max(0, ...reply.choices.map(({ pieces }) => pieces.length));
  const so: ReplyPiece[] = [];
  let first = true;
  for (let at = 0; at < longest; at++) {
    for (const [index, { pieces }] of reply.choices.entries()) {
      const piece = pieces[at];
      if (piece === undefined) continue;
      so.push(piece);
      const candidates = [encodeCandidate(reply, index, [piece.part], undefined)];
      const element = { candidates, ...usageMetadata(reply, written(so), false), ...reply.head };
      const { tokens: outputTokens, thoughtTokens: reasoningTokens } = piece;
      yield { kind: "content", text: framing.frame(element, first), outputTokens, reasoningTokens };
      first = false;
    }
  }
  const candidates = reply.choices.map((choice, index) =>
    encodeCandidate(reply, index, [{ text: "" }], choice),
  );
  const last = { candidates, ...usageMetadata(reply, written(so), true), ...reply.head };
  yield { kind: "finish", text: framing.frame(last, first), outputTokens: 0, reasoningTokens: 0 };
  if (framing.end) yield { kind: "end", text: framing.end, outputTokens: 0, reasoningTokens: 0 };
}
