/**
 * About how many bytes of the heap something takes, by how V8 lays it out: enough to keep a bound by, and on the safe
 * side of it. It knows nothing of answers.
 */

/** An object's map, properties and elements, and the room for those that may come. */
const OBJECT = 40;
const FIELD = 8;
const STRING = 24;
const BIGINT = 32;
const BYTES = 200;
/** A number in a field may be an object of its own. */
const NUMBER = 16;
/** Its text is one for all messages of a kind. */
const SHARED = "$typeName";
const TWO_BYTE = /[^\0-\u00ff]/;

/** What maps take for each key and its place among others. */
const PLACE = 120;

/** Of something that is kept under a key, with that. */
export function entrySize(key: string, value: unknown): number {
  return PLACE + textSize(key) + sizeOf(value);
}

/** Of plain values: what they hold is counted each time that it is held. */
export function sizeOf(value: unknown): number {
  switch (typeof value) {
    case "string":
      return textSize(value);
    case "number":
      return NUMBER;
    case "bigint":
      return BIGINT;
    case "object":
      break;
    default:
      return 0;
  }
  if (value === null) return 0;
  if (value instanceof Uint8Array) return BYTES + value.byteLength;
  let size = OBJECT;
  for (const [name, field] of Object.entries(value)) size += FIELD + (name === SHARED ? 0 : sizeOf(field));
  return size;
}

export function textSize(text: string): number {
  return STRING + charsSize(text);
}

/** Of a text that is added to another. Texts of Latin letters take a byte for each, and all others two. */
export function charsSize(text: string): number {
  return text.length * (TWO_BYTE.test(text) ? 2 : 1);
}
