/**
 * OpenAI's encodings, by which tokens are counted exactly. Their tables weigh some 70 MB each, so they are loaded
 * with the first text; of other vendors' models it knows nothing.
 */

export type Encoding = "o200k" | "cl100k";

/** Undefined when the model's encoding is not known. */
export function encodingOf(model: string): Encoding | undefined {
  return ENCODINGS.find(([names]) => names.test(model))?.[1];
}

/** Counts the tokens of texts of any length, a piece at a time. */
export async function counterOf(encoding: Encoding): Promise<(piece: string) => number> {
  const { countTokens } = await LOADERS[encoding]();
  // What looks like a control token is the caller's text.
  return (piece) => countTokens(piece, { disallowedSpecial: NONE });
}

/** Cuts a text so that its pieces have as many tokens together as it has, but for few. */
export function* piecesOf(text: string): Generator<string> {
  for (let from = 0; from < text.length; ) {
    const end = endOfPiece(text, from);
    yield text.slice(from, end);
    from = end;
  }
}

const ENCODINGS: readonly (readonly [RegExp, Encoding])[] = [
  [/^(?:chatgpt-4o|gpt-4o|gpt-4\.[1-9]|gpt-[5-9]|gpt-audio|o\d)/, "o200k"],
  [/^(?:gpt-4|gpt-3\.5|text-embedding-)/, "cl100k"],
];

const LOADERS = {
  o200k: () => import("gpt-tokenizer/encoding/o200k_base"),
  cl100k: () => import("gpt-tokenizer/encoding/cl100k_base"),
};
const NONE: ReadonlySet<string> & Set<string> = new Set();

/** The time for a text without spaces grows with the square of its length; for so much it is a few milliseconds. */
const PIECE_CHARS = 1024;

/** Before a space where there is one, since no token reaches over its front. */
function endOfPiece(text: string, from: number): number {
  const end = from + PIECE_CHARS;
  if (end >= text.length) return text.length;
  const space = text.lastIndexOf(" ", end);
  return space > from ? space : end;
}
