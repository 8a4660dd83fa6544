/** A whole reply's events as texts, each joined from all its pieces, and the events with those texts changed. */
import type { StreamResponse } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { Edit, Text } from "./examine.ts";
import type { TextKind } from "./hook.ts";
import { type Piece, pieceOf, unsealed, withText } from "./piece.ts";

interface Joined {
  readonly kind: TextKind;
  readonly choice: number;
  /** Where its pieces are, among the events. */
  readonly places: { readonly at: number; readonly piece: Piece }[];
}

export class WholeReply {
  private readonly events: readonly StreamResponse[];
  private readonly joined = new Map<string, Joined>();

  /** @param isStructured whether what is said is to be JSON */
  constructor(events: readonly StreamResponse[], isStructured: boolean) {
    this.events = events;
    for (const [at, event] of events.entries()) {
      const piece = pieceOf(event, isStructured);
      if (!piece) continue;
      const choice = event.index ?? 0;
      const key = `${choice} ${piece.key}`;
      const known = this.joined.get(key);
      if (known) known.places.push({ at, piece });
      else this.joined.set(key, { kind: piece.kind, choice, places: [{ at, piece }] });
    }
  }

  texts(): Text[] {
    return [...this.joined.values()].map(({ kind, places }) => ({
      kind,
      text: places.map(({ piece }) => piece.text).join(""),
    }));
  }

  /** @param edits for each of the texts, in their order; each change stands where it begins */
  changed(edits: readonly (readonly Edit[])[], keepsSeals = false): readonly StreamResponse[] {
    if (edits.every(({ length }) => length === 0)) return this.events;
    const events = [...this.events];
    for (const [index, { kind, choice, places }] of [...this.joined.values()].entries()) {
      const own = edits[index] ?? [];
      if (own.length === 0) continue;
      const texts = spread(
        places.map(({ piece }) => piece.text),
        own,
      );
      for (const [place, { at, piece }] of places.entries()) {
        const event = events[at];
        if (event) events[at] = withText(event, piece, texts[place] ?? "");
      }
      if (kind !== "reasoning" || keepsSeals) continue;
      for (const [at, event] of events.entries())
        if ((event.index ?? 0) === choice) events[at] = unsealed(event);
    }
    return events;
  }
}

/** The pieces after the edits of what they are joined. */
function spread(pieces: readonly string[], edits: readonly Edit[]): string[] {
  let begin = 0;
  let next = 0;
  return pieces.map((piece) => {
    const end = begin + piece.length;
    let out = "";
    let read = begin;
    for (let edit = edits[next]; edit && edit.start < end; edit = edits[next]) {
      if (edit.start >= begin) out += piece.slice(read - begin, edit.start - begin) + edit.instead;
      read = Math.min(edit.end, end);
      if (edit.end > end) break;
      next++;
    }
    out += piece.slice(read - begin);
    begin = end;
    return out;
  });
}
