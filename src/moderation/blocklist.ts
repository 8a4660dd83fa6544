/**
 * Words and expressions of the operator's, found in time that grows with the text alone: callers choose the text, and
 * must not choose how long the gateway is busy with it.
 */
import { RE2JS } from "re2js";
import { messageOf } from "../core/message.ts";
import type { Detector, Place } from "./detector.ts";
import type { Patterns } from "./hook.ts";
import { scan } from "./scan.ts";
import { spaced } from "./spaced.ts";

/** What an expression finds in a stream may be as long. */
const LONGEST_MATCH = 256;

/** @returns what is wrong with an expression; undefined when it can be used */
export function expressionFault(pattern: string): string | undefined {
  try {
    return RE2JS.compile(pattern).matcher("").matches() ? "it matches the empty text" : undefined;
  } catch (error) {
    return messageOf(error);
  }
}

/** @param patterns without fault */
export function blocklist(words: readonly string[], patterns: readonly string[]): Patterns {
  const detectors: Detector[] = [];
  const written = words.flatMap((word) => [word.normalize("NFC"), word.normalize("NFD")]);
  const find = wordsIn(written);
  if (words.length > 0)
    detectors.push(
      { category: "word", find: (text) => (text.includes("\\") ? find(spaced(text)) : []) },
      { category: "word", find },
    );
  for (const pattern of patterns) {
    const expression = RE2JS.compile(pattern);
    detectors.push({ category: "pattern", find: (text) => matches(expression, text) });
  }
  const longestWord = written.reduce((most, word) => Math.max(most, word.length), 0);
  const held = patterns.length > 0 ? Math.max(LONGEST_MATCH, longestWord) : longestWord;
  return {
    kind: "patterns",
    find: (text) => scan(text, detectors),
    // One more, which tells whether a word ends there.
    heldFrom: (text) => Math.max(0, text.length - held - 1),
  };
}

/** Of the same length, whatever stands in it: for one letter the language has two lower-case ones. */
function inOneCase(text: string): string {
  return text.replaceAll("İ", "i").toLowerCase().replaceAll("ς", "σ");
}

/** Whole words in any case: each place where a word can begin is looked up once for each length that words have. */
function wordsIn(words: readonly string[]): (text: string) => Generator<Place> {
  const all = new Set(words.map(inOneCase));
  const lengths = new Map<string, number[]>();
  for (const word of [...all].sort((a, b) => b.length - a.length)) {
    const first = word.charAt(0);
    const known = lengths.get(first) ?? [];
    lengths.set(first, known);
    if (known.at(-1) !== word.length) known.push(word.length);
  }
  const lengthAt = (text: string, start: number) =>
    lengths
      .get(text.charAt(start))
      ?.find((length) => all.has(text.slice(start, start + length)) && !inWord(text, start + length));
  return function* (written) {
    const text = inOneCase(written);
    let from = 0;
    for (const { index } of text.matchAll(BEGINNINGS)) {
      const length = index < from ? undefined : lengthAt(text, index);
      if (length === undefined) continue;
      from = index + length;
      yield { start: index, end: from };
    }
  };
}

/** A word, or what is none. */
const BEGINNINGS = /[\p{L}\p{N}_]+|[^\p{L}\p{N}_]/gu;

/** Whether a word goes on over this place. */
function inWord(text: string, at: number): boolean {
  return at > 0 && at < text.length && WORDS.test(text.slice(at - 1, at + 1));
}

const WORDS = /^[\p{L}\p{N}_]{2}$/u;

function* matches(expression: RE2JS, text: string): Generator<Place> {
  const matcher = expression.matcher(text);
  while (matcher.find()) {
    const [start, end] = [matcher.start(), matcher.end()];
    if (end > start) yield { start, end };
  }
}
