/** What a moderation hook is: who looks, when, and what follows. It knows no configuration and looks at nothing itself. */
import type { Call } from "../core/call.ts";

export type Stage = "request" | "stream" | "reply";

export type Action = "allow" | "flag" | "redact" | "refuse";

/**
 * What a text is: said, thought, or exchanged with tools; `json` for the arguments of a tool's call, and `structured` for
 * what is said as JSON, as the request wants it.
 */
export type TextKind = "text" | "structured" | "reasoning" | "tool" | "json";

/** A place in a text. Where only the whole text is meant, it is empty. */
export interface Span {
  readonly start: number;
  readonly end: number;
  readonly category: string;
}

/** What somebody who was asked says of a text. */
export interface Said extends Span {
  /** Which of the texts. */
  readonly text: number;
}

export interface Verdict {
  readonly said: readonly Said[];
  /** Absent for what the hook is configured for. */
  readonly action?: Action;
}

/** Looks by itself, at once. */
export interface Patterns {
  readonly kind: "patterns";
  /** In order; none overlaps another. */
  find(text: string): readonly Span[];
  /** From where on a text may be the beginning of what would be found, were there more of it. */
  heldFrom(text: string): number;
}

/** Counts characters. */
export interface Length {
  readonly kind: "length";
  readonly maxChars: number;
}

/** Asks somebody else. */
export interface Asking {
  readonly kind: "asking";
  /** How much of a stream is gathered before it is asked about. */
  readonly windowChars: number;
  /** @throws whatever goes wrong; the signal's reason once that aborts */
  ask(texts: readonly string[], about: About): Promise<Verdict>;
}

/** What somebody who is asked may know of the call. */
export interface About {
  readonly stage: Stage;
  readonly requestId: string;
  readonly tenant: string;
  readonly principal: string;
  readonly signal: AbortSignal;
}

export interface Hook {
  readonly name: string;
  readonly on: ReadonlySet<Stage>;
  readonly action: Action;
  /** Whether a call passes when the hook fails. */
  readonly failOpen: boolean;
  readonly timeoutMs: number;
  /** Whether what it took out of the request is put back into the answer. */
  readonly restore: boolean;
  readonly looks: Patterns | Length | Asking;
  isFor(call: Call): boolean;
  looksAt(kind: TextKind): boolean;
}
