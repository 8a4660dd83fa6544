/**
 * Words and expressions of the operator's, found in time that grows with the text alone: callers choose the text, and
 * must not choose how long the gateway is busy with it.
 */
import { RE2JS } from "re2js";
import type { Patterns } from "./hook.ts";
import { type Detector, type Place, scan } from "./scan.ts";

/** What an expression finds in a stream may be as long. */
const LONGEST_MATCH = 256;

/** @returns what is wrong with an expression; undefined when it can be used */
export function expressionFault(pattern: string): string | undefined {
  try {
    return RE2JS.compile(pattern).matcher("").matches() ? "it matches the empty text" : undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** @param patterns without fault */
export function blocklist(words: readonly string[], patterns: readonly string[]): Patterns {
  const detectors: Detector[] = [];
  if (words.length > 0) detectors.push({ category: "word", find: wordsIn(words) });
  for (const pattern of patterns) {
    const expression = RE2JS.compile(pattern);
    detectors.push({ category: "pattern", find: (text) => matches(expression, text) });
  }
  const longestWord = words.reduce((most, word) => Math.max(most, word.length), 0);
  const held = patterns.length > 0 ? Math.max(LONGEST_MATCH, longestWord) : longestWord;
  return {
    kind: "patterns",
    find: (text) => scan(text, detectors),
    // One more, which tells whether a word ends there.
    heldFrom: (text) => Math.max(0, text.length - held - 1),
  };
}

function wordsIn(words: readonly string[]): (text: string) => Generator<Place> {
  const longestFirst = [...words].sort((a, b) => b.length - a.length);
  const expression = RE2JS.compile(
    longestFirst.map((word) => RE2JS.quote(word)).join("|"),
    RE2JS.CASE_INSENSITIVE,
  );
  return function* (text) {
    const matcher = expression.matcher(text);
    for (let from = 0; from <= text.length && matcher.find(from); ) {
      const [start, end] = [matcher.start(), matcher.end()];
      const isWhole = !inWord(text, start) && !inWord(text, end);
      if (isWhole) yield { start, end };
      from = isWhole ? end : start + 1;
    }
  };
}

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
