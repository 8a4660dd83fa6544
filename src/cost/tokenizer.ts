/**
 * Counts tokens as OpenAI's models do, for the rare call whose provider counted nothing. Its tables weigh some
 * 70 MB, so they are loaded with the first text; of other vendors' models it knows nothing.
 */
import { setImmediate } from "node:timers/promises";
import type { ModelPrice } from "./catalog.ts";

export type CountTokens = (texts: readonly string[]) => Promise<number>;

/** Undefined when no tokenizer is known for the model. */
export function tokenizerOf({ provider, model }: ModelPrice): CountTokens | undefined {
  const load = provider === "openai" ? ENCODINGS.find(([names]) => names.test(model))?.[1] : undefined;
  if (!load) return undefined;
  return async (texts) => {
    const { countTokens } = await load();
    // What looks like a control token is the caller's text.
    return count(texts, (text) => countTokens(text, { disallowedSpecial: NONE }));
  };
}

const ENCODINGS = [
  [
    /^(?:chatgpt-4o|gpt-4o|gpt-4\.[1-9]|gpt-[5-9]|gpt-audio|o\d)/,
    () => import("gpt-tokenizer/encoding/o200k_base"),
  ],
  [/^(?:gpt-4|gpt-3\.5|text-embedding-)/, () => import("gpt-tokenizer/encoding/cl100k_base")],
] as const;
const NONE: ReadonlySet<string> & Set<string> = new Set();

/** The time for a text without spaces grows with the square of its length; for so much it is a few milliseconds. */
const PIECE_CHARS = 1024;
/** Pieces between which others get their turn. */
const PIECES_AT_ONCE = 4;
/** What is longer is counted so far, and its rest taken to be like that. */
const MAX_CHARS = 128 * 1024;

async function count(texts: readonly string[], countPiece: (text: string) => number): Promise<number> {
  const all = texts.reduce((chars, text) => chars + text.length, 0);
  let counted = 0;
  let tokens = 0;
  let pieces = 0;
  for (const text of texts) {
    for (let from = 0; from < text.length && counted < MAX_CHARS; ) {
      const end = endOfPiece(text, from);
      tokens += countPiece(text.slice(from, end));
      counted += end - from;
      from = end;
      if (++pieces % PIECES_AT_ONCE === 0) await setImmediate();
    }
  }
  return counted === 0 ? 0 : Math.ceil((tokens * all) / counted);
}

/** Before a space where there is one, since no token reaches over its front. */
function endOfPiece(text: string, from: number): number {
  const end = from + PIECE_CHARS;
  if (end >= text.length) return text.length;
  const space = text.lastIndexOf(" ", end);
  return space > from ? space : end;
}
