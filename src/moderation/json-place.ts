/** Whether a place in JSON text is inside a string, so that what is put there keeps the text JSON. */

/**
 * @param inside whether the text before it ends inside a string
 * @returns whether the text does
 */
export function endsInString(text: string, inside = false): boolean {
  let at = inside;
  for (let index = 0; index < text.length; index++) {
    const char = text.charCodeAt(index);
    if (char === QUOTE) at = !at;
    else if (at && char === BACKSLASH) index++;
  }
  return at;
}

const QUOTE = 34;
const BACKSLASH = 92;

/** A value as it is written at such a place. */
export function written(value: string, inString: boolean): string {
  const quoted = JSON.stringify(value);
  return inString ? quoted.slice(1, -1) : quoted;
}
