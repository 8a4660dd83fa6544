/** One text of a stream on its way through a sieve: held back as far as the sieve needs to see more of it. */
import { type Edit, edited } from "./examine.ts";
import type { TextKind } from "./hook.ts";
import { endsInString } from "./json-place.ts";
import { outsideEscape, staysJson } from "./json-text.ts";

/** What texts of a stream go through, in pieces. */
export interface Sieve {
  /** How much of what has passed it wants to see before what comes. */
  readonly contextChars: number;
  /** Whether what it changes may bear its provider's seal all the same. */
  readonly keepsSeals: boolean;
  looksAt(kind: TextKind): boolean;
  /** From where on the text cannot be judged before there is more of it. */
  heldFrom(text: string, kind: TextKind): number;
  /** Judges a part of a text; it may leave its end for later. */
  sift(part: Part): Sifted | Promise<Sifted>;
}

export interface Part {
  readonly kind: TextKind;
  readonly text: string;
  /** What is before has passed. */
  readonly from: number;
  readonly upTo: number;
  /** Of JSON, whether `from` is inside a string. */
  readonly inString: boolean;
  readonly isLast: boolean;
}

export interface Sifted {
  readonly upTo: number;
  readonly edits: readonly Edit[];
}

export class Window {
  readonly kind: TextKind;
  /** Whether anything was changed in it. */
  isChanged = false;
  private readonly sieve: Sieve;
  private text = "";
  private from = 0;
  private inString = false;

  constructor(kind: TextKind, sieve: Sieve) {
    this.kind = kind;
    this.sieve = sieve;
  }

  get isEmpty(): boolean {
    return this.from === this.text.length;
  }

  /** @returns what may be given now */
  push(text: string): string | Promise<string> {
    this.text += text;
    return this.release(this.whole(this.sieve.heldFrom(this.text, this.kind)), false);
  }

  /** The rest: what comes is no part of it. */
  flush(): string | Promise<string> {
    return this.release(this.text.length, true);
  }

  /** No escape of JSON is cut in two: what is judged, and whether it is inside a string, would be told wrongly. */
  private whole(place: number): number {
    return staysJson(this.kind) ? outsideEscape(this.text, place) : place;
  }

  private release(upTo: number, isLast: boolean): string | Promise<string> {
    const { kind, text, from, inString } = this;
    if (upTo <= from) return "";
    const sifted = this.sieve.sift({ kind, text, from, upTo, inString, isLast });
    return sifted instanceof Promise ? sifted.then((one) => this.given(one)) : this.given(sifted);
  }

  private given({ upTo, edits }: Sifted): string {
    const part = this.text.slice(this.from, upTo);
    const shifted = edits.map(({ start, end, instead }) => ({
      start: start - this.from,
      end: end - this.from,
      instead,
    }));
    if (edits.length > 0) this.isChanged = true;
    if (staysJson(this.kind)) this.inString = endsInString(part, this.inString);
    const context = this.whole(upTo - Math.min(upTo, this.sieve.contextChars));
    this.text = this.text.slice(context);
    this.from = upTo - context;
    return edited(part, shifted);
  }
}
