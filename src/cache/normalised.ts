/**
 * Brings texts that people wrote to one form, where that cannot change what they mean: composed characters, line
 * ends, and what stands before the first line and behind the last. Code stays as it is.
 */

const FENCE = /```|~~~/;
/** All but ASCII without what fences are made of: in most texts there is none, and one look finds that out. */
const SPECIAL = /[^\n -_a-}]/;

/** @param pieces of one message, of which the strings are texts */
export function normalised<T>(pieces: readonly (string | T)[]): (string | T)[] {
  const last = pieces.length - 1;
  let inCode = false;
  return pieces.map((piece, index) => {
    if (typeof piece !== "string" || inCode) return piece;
    const isPlain = !SPECIAL.test(piece);
    const fence = isPlain ? -1 : piece.search(FENCE);
    // What follows a fence may be code to the end: not every fence is closed.
    inCode = fence >= 0;
    const prose = isPlain ? piece : composed(fence < 0 ? piece : piece.slice(0, fence));
    const begun = index === 0 ? withoutBlankLines(prose) : prose;
    if (fence >= 0) return begun + piece.slice(fence);
    return index === last ? begun.trimEnd() : begun;
  });
}

function composed(text: string): string {
  return (text.includes("\r") ? text.replaceAll("\r\n", "\n") : text).normalize("NFC");
}

/** The spaces before the first word stay: they may be its indentation. */
function withoutBlankLines(text: string): string {
  const begin = text.length - text.trimStart().length;
  return begin === 0 ? text : text.slice(text.lastIndexOf("\n", begin - 1) + 1);
}
