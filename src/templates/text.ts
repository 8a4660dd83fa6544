/** A text with placeholders, read once: its own words, and the names of what is put between them. It knows no values. */

/** Words as they are, or the name of a variable. */
export type Piece = string | { readonly variable: string };

export type Read =
  | { readonly pieces: readonly Piece[]; readonly fault?: undefined }
  | { readonly fault: string; readonly pieces?: undefined };

const NAME = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/;
const FORM = "write {{name}}, with a name of letters, digits and _, or {{{{ for two braces";

/**
 * In a run of braces every four are two that are meant; of what remains, two open a placeholder, three are one brace and
 * open one, and one is itself. Closing braces mean something behind an open placeholder alone.
 */
export function readText(text: string): Read {
  const pieces: Piece[] = [];
  let words = "";
  let at = 0;
  for (const { 0: run, index } of text.matchAll(/\{{2,}/g)) {
    const rest = run.length % 4;
    words += text.slice(at, index) + "{{".repeat((run.length - rest) / 4) + (rest % 2 === 1 ? "{" : "");
    at = index + run.length;
    if (rest < 2) continue;
    const end = text.indexOf("}}", at);
    const opened = placeOf(text, at - 2);
    if (end < 0) return { fault: `${opened} opens a placeholder that is not closed; ${FORM}` };
    const name = text.slice(at, end).trim();
    if (!NAME.test(name))
      return { fault: `${opened} opens a placeholder with no name of a variable; ${FORM}` };
    pieces.push(words, { variable: name });
    words = "";
    at = end + 2;
  }
  pieces.push(words + text.slice(at));
  return { pieces: pieces.filter((piece) => piece !== "") };
}

/** What is put in is not looked at. */
export function fill(pieces: readonly Piece[], values: ReadonlyMap<string, string>): string {
  let text = "";
  for (const piece of pieces) text += typeof piece === "string" ? piece : (values.get(piece.variable) ?? "");
  return text;
}

/** How long that would be, without making it. */
export function filledLength(pieces: readonly Piece[], values: ReadonlyMap<string, string>): number {
  let length = 0;
  for (const piece of pieces)
    length += (typeof piece === "string" ? piece : (values.get(piece.variable) ?? "")).length;
  return length;
}

function placeOf(text: string, index: number): string {
  const before = text.slice(0, index).split("\n");
  return `line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}:`;
}
