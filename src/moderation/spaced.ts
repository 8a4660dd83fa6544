/** Texts in which JSON stands, as in a question about it, with its escapes for space as space. */

/** The end of a line, and other space. */
const ESCAPED_SPACE = /\\(?:[bfnrt]|u(?:00[aA]0|202[fF]))/g;
const LINE_ENDS: Readonly<Record<string, string>> = { "\\n": " \n", "\\r": " \r" };

/** With that in its place, of the same length: a number behind `\n` is not one word with the `n`. */
export function spaced(text: string): string {
  if (!text.includes("\\")) return text;
  return text.replace(ESCAPED_SPACE, (written) => LINE_ENDS[written] ?? " ".repeat(written.length));
}
