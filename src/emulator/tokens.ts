/** The emulator's one rule for counting tokens and for cutting a text into pieces. It knows no model's tokenizer. */

/** Added to every message for its role and separators. */
export const TOKENS_PER_MESSAGE = 3;

/** Added once to every prompt for the start of the answer. */
export const TOKENS_PER_PROMPT = 3;

/** Counted for every image, whatever its size. */
export const TOKENS_PER_IMAGE = 85;

/** One token for every started four bytes of UTF-8. */
export function countTokens(text: string): number {
  return Math.ceil(Buffer.byteLength(text) / 4);
}

/** Words, each with the white space before it: joined, they are the text again. */
export function splitWords(text: string): string[] {
  return text.match(/\s*\S+|\s+$/g) ?? [];
}

/** Pieces of up to five characters, for JSON; never splits a character. */
export function splitJson(text: string): string[] {
  return text.match(/.{1,5}/gsu) ?? [];
}
