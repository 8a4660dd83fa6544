/**
 * JSON as it reads: with what its escapes stand for in their place, so that `\n` is the end of a line, and not an `n` in
 * the word behind it. It parses nothing, since what it is given may be a part.
 */
import type { Patterns, Span, TextKind } from "./hook.ts";

export interface Reading {
  readonly text: string;
  /** Where a place in it is in the JSON: never inside an escape. */
  placeOf(offset: number): number;
}

const BACKSLASH = 92;
const HEX = /^[\dA-Fa-f]{4}$/;
const LETTERS: Readonly<Record<string, string>> = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };
/** Of `\u0041`. */
const LONGEST = 6;

/** @param json begins with no half of an escape; with half of one, it ends as it stands */
export function readJson(json: string): Reading {
  if (!json.includes("\\")) return { text: json, placeOf: (offset) => offset };
  // Callers choose how many escapes there are: nothing is made of each.
  const units = new Uint16Array(json.length);
  let length = 0;
  for (let at = 0; at < json.length; ) {
    const escaped = json.charCodeAt(at) === BACKSLASH ? lengthOfEscape(json, at) : 0;
    units[length++] = escaped > 0 ? meaning(json, at) : json.charCodeAt(at);
    at += escaped || 1;
  }
  return { text: Buffer.from(units.buffer, 0, 2 * length).toString("utf16le"), placeOf: placesIn(json) };
}

/** 0 for half of one. */
function lengthOfEscape(json: string, at: number): number {
  if (json[at + 1] === "u") return HEX.test(json.slice(at + 2, at + LONGEST)) ? LONGEST : 0;
  return at + 1 < json.length ? 2 : 0;
}

function meaning(json: string, at: number): number {
  const letter = json[at + 1] ?? "";
  if (letter === "u") return Number.parseInt(json.slice(at + 2, at + LONGEST), 16);
  return (LETTERS[letter] ?? letter).charCodeAt(0);
}

/** Goes from escape to escape as it is asked, which is mostly in order. */
function placesIn(json: string): (offset: number) => number {
  /** Behind an escape, where that is in the text and in the JSON. */
  let [inText, inJson] = [0, 0];
  return (offset) => {
    if (offset < inText) [inText, inJson] = [0, 0];
    let from = inJson;
    for (;;) {
      const at = json.indexOf("\\", from);
      const end = inText + at - inJson + 1;
      if (at < 0 || end > offset) return inJson + offset - inText;
      const length = lengthOfEscape(json, at);
      if (length > 0) [inText, inJson] = [end, at + length];
      from = at + (length || 1);
    }
  };
}

/** Whether what takes a place in such a text must keep it JSON. */
export function staysJson(kind: TextKind): boolean {
  return kind === "json" || kind === "structured";
}

/** What tools answer is mostly JSON, and told as text. */
export function isJson(kind: TextKind, text: string): boolean {
  return staysJson(kind) || (kind === "tool" && /^\s*[[{]/.test(text));
}

export function readingOf(kind: TextKind, text: string): Reading {
  return isJson(kind, text) ? readJson(text) : { text, placeOf: (offset) => offset };
}

/** In order; none overlaps another. */
export function findIn({ find }: Pick<Patterns, "find">, kind: TextKind, text: string): readonly Span[] {
  const reading = readingOf(kind, text);
  const spans = find(reading.text);
  if (reading.text === text) return spans;
  return spans.map(({ start, end, category }) => ({
    start: reading.placeOf(start),
    end: reading.placeOf(end),
    category,
  }));
}

/** The place itself, or where the escape begins that it is inside of. */
export function outsideEscape(json: string, place: number): number {
  const begin = json.lastIndexOf("\\", place - 1);
  if (begin < 0 || place - begin >= LONGEST) return place;
  let first = begin;
  while (first > 0 && json[first - 1] === "\\") first--;
  // Of a run of them, each second one is what the one before it stands for.
  if ((begin - first) % 2 === 1) return place;
  const length = json[begin + 1] === "u" ? LONGEST : 2;
  return begin + length > place ? begin : place;
}
