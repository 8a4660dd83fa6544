/**
 * Counts tokens as OpenAI's models do, where an estimate is not enough: when a provider counted nothing, when money
 * is short, when someone asks what a call would cost. Of other vendors' models it knows nothing.
 */
import { setImmediate } from "node:timers/promises";
import type { ModelRequest } from "../core/call.ts";
import { CountingThread } from "./counting-thread.ts";
import { counterOf, type Encoding, encodingOf, piecesOf } from "./encodings.ts";
import { type Asked, familyOf, tokensAround } from "./family.ts";
import { featuresOf, isText } from "./features.ts";

/** For texts of any length, without holding up others. */
export class Tokenizer {
  private readonly thread: CountingThread;

  constructor(thread = new CountingThread()) {
    this.thread = thread;
  }

  /** Whether texts can be counted for the model. */
  knows(target: Asked): boolean {
    return encodingFor(target) !== undefined;
  }

  /**
   * Tokens of the request's texts, and what the model puts around them.
   *
   * @returns undefined where that cannot be counted: no tokenizer is known for the model, or for what is in the
   *   request beside text, or too many texts wait
   * @throws the signal's reason
   */
  async countInput(request: ModelRequest, target: Asked, signal?: AbortSignal): Promise<number | undefined> {
    const texts: string[] = [];
    // Tools and schemas are told to the model in words of its own.
    const features = featuresOf(request, (text) => texts.push(text));
    if (!isText(features)) return undefined;
    const tokens = await this.count(texts, target, signal);
    return tokens === undefined ? undefined : Math.ceil(tokens + tokensAround(familyOf(target), features));
  }

  /** Tokens of the texts alone; otherwise as `countInput`. */
  async count(texts: readonly string[], target: Asked, signal?: AbortSignal): Promise<number | undefined> {
    const encoding = encodingFor(target);
    if (!encoding) return undefined;
    signal?.throwIfAborted();
    const chars = texts.reduce((sum, { length }) => sum + length, 0);
    if (chars <= SHORT_CHARS) return countInSlices(encoding, texts, signal);
    const counts = await Promise.all(texts.map((text) => this.thread.count(encoding, text, signal)));
    return counts.reduce(
      (sum, tokens) => (sum === undefined || tokens === undefined ? undefined : sum + tokens),
      0,
    );
  }

  close(): Promise<void> {
    return this.thread.close();
  }
}

function encodingFor({ kind, model }: Asked): Encoding | undefined {
  return OPENAI_KINDS.has(kind) ? encodingOf(model) : undefined;
}

/** Who serves OpenAI's models under their own names. */
const OPENAI_KINDS: ReadonlySet<string> = new Set(["openai", "openai_compatible"]);

/** A few milliseconds of counting; what is longer is for the thread. */
const SHORT_CHARS = 16 * 1024;
/** Pieces between which others get their turn. */
const PIECES_AT_ONCE = 4;
/** What is longer is counted so far, and its rest taken to be like that. */
const MAX_CHARS = 128 * 1024;

async function countInSlices(
  encoding: Encoding,
  texts: readonly string[],
  signal?: AbortSignal,
): Promise<number> {
  const countPiece = await counterOf(encoding);
  const all = texts.reduce((chars, text) => chars + text.length, 0);
  let counted = 0;
  let tokens = 0;
  let pieces = 0;
  for (const text of texts) {
    for (const piece of piecesOf(text)) {
      if (counted >= MAX_CHARS) break;
      tokens += countPiece(piece);
      counted += piece.length;
      if (++pieces % PIECES_AT_ONCE === 0) await setImmediate();
      signal?.throwIfAborted();
    }
  }
  return counted === 0 ? 0 : Math.ceil((tokens * all) / counted);
}
