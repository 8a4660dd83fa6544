/** The events of a stream on their way through one sieve: each text of each choice by itself, in the order they came. */
import type { StreamResponse } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { type Piece, pieceOf, textEvent, unsealed, withoutText } from "./piece.ts";
import { type Sieve, Window } from "./window.ts";

/** What waits behind a text that is held back, such as citations; more than that would be held too long. */
const MOST_BEHIND = 32;

export class Sifting {
  private readonly sieve: Sieve;
  private readonly isStructured: boolean;
  private readonly choices = new Map<number, Choice>();

  /** @param isStructured whether what is said is to be JSON */
  constructor(sieve: Sieve, isStructured: boolean) {
    this.sieve = sieve;
    this.isStructured = isStructured;
  }

  /** @returns what may be given now; after the last event nothing is left */
  async pass(events: readonly StreamResponse[]): Promise<StreamResponse[]> {
    const given: StreamResponse[] = [];
    for (const event of events) {
      if (event.done) for (const choice of this.choices.values()) await choice.flush(given);
      if (event.done) given.push(event);
      else await this.choiceOf(event).pass(event, given);
    }
    return given;
  }

  private choiceOf({ index = 0 }: StreamResponse): Choice {
    const known = this.choices.get(index);
    if (known) return known;
    const choice = new Choice(this.sieve, this.isStructured);
    this.choices.set(index, choice);
    return choice;
  }
}

class Choice {
  private readonly sieve: Sieve;
  private readonly isStructured: boolean;
  private readonly windows = new Map<string, Window>();
  private active: { readonly piece: Piece; readonly window: Window } | undefined;
  /** The event whose cost was told last. */
  private latest: StreamResponse | undefined;
  private readonly behind: StreamResponse[] = [];

  constructor(sieve: Sieve, isStructured: boolean) {
    this.sieve = sieve;
    this.isStructured = isStructured;
  }

  async pass(event: StreamResponse, given: StreamResponse[]): Promise<void> {
    this.latest = event;
    const piece = pieceOf(event, this.isStructured);
    if (!piece) return this.other(event, given);
    if (!this.sieve.looksAt(piece.kind)) {
      await this.flush(given);
      given.push(event);
      return;
    }
    if (this.active && this.active.piece.key !== piece.key) await this.flush(given);
    const window = this.windowOf(piece);
    this.active = { piece, window };
    const beside = withoutText(event, piece);
    // The call's name goes before its arguments, and the seal behind what it seals.
    if (beside?.toolCall) given.push(beside);
    const text = window.push(piece.text);
    this.give(piece, typeof text === "string" ? text : await text, given);
    if (beside?.reasoning) {
      await this.flush(given);
      given.push(window.isChanged && !this.sieve.keepsSeals ? unsealed(beside) : beside);
      window.isChanged = false;
    }
  }

  async flush(given: StreamResponse[]): Promise<void> {
    if (this.active) {
      const { piece, window } = this.active;
      const text = window.flush();
      this.give(piece, typeof text === "string" ? text : await text, given);
    }
    given.push(...this.behind.splice(0));
  }

  /** What ends a choice comes behind all of it; what is about its text waits for that, as far as it can. */
  private async other(event: StreamResponse, given: StreamResponse[]): Promise<void> {
    const waits = event.citation !== undefined && this.active?.window.isEmpty === false;
    if (waits && this.behind.length < MOST_BEHIND) {
      this.behind.push(event);
      return;
    }
    await this.flush(given);
    given.push(event);
  }

  private give(piece: Piece, text: string, given: StreamResponse[]): void {
    if (text !== "" && this.latest) given.push(textEvent(piece, text, this.latest));
    if (this.behind.length > 0 && this.active?.window.isEmpty) given.push(...this.behind.splice(0));
  }

  private windowOf({ key, kind }: Piece): Window {
    const known = this.windows.get(key);
    if (known) return known;
    const window = new Window(kind, this.sieve);
    this.windows.set(key, window);
    return window;
  }
}
