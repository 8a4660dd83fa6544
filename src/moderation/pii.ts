/** Personal data by its form: which kinds there are, and how far a text may still become one. */
import type { Detector } from "./detector.ts";
import type { Patterns } from "./hook.ts";
import { cards, ibans } from "./pii/accounts.ts";
import { emails, ips, phones } from "./pii/contact.ts";
import { nationalIds } from "./pii/national.ts";
import { scan } from "./scan.ts";
import { spaced } from "./spaced.ts";

/** The surest first: what two of them find is the earlier one's. */
const DETECTORS: readonly Detector[] = [emails, ibans, cards, ...nationalIds, ...ips, ...phones];

export const PII_CATEGORIES: readonly string[] = [...new Set(DETECTORS.map(({ category }) => category))];

/** @param categories of those; empty for all */
export function pii(categories: readonly string[]): Patterns {
  const detectors =
    categories.length === 0 ? DETECTORS : DETECTORS.filter(({ category }) => categories.includes(category));
  return {
    kind: "patterns",
    find: (text) => scan(spaced(text), detectors),
    heldFrom: (text) => heldFrom(spaced(text)),
  };
}

/** As long as the longest of them may be. */
const LONGEST_WORD = 320;
const LONGEST_GROUPS = 64;

/**
 * The last word, since more of it may follow; and before it the words that may be groups of one number with it: short
 * ones, and those with digits.
 */
function heldFrom(text: string): number {
  let start = text.length;
  const least = Math.max(0, start - LONGEST_WORD);
  while (start > least && !isSpace(text, start - 1)) start--;
  if (start === least && start > 0) return start;
  const groups = Math.max(0, start - LONGEST_GROUPS);
  let held = start;
  let hasDigit = /\d/.test(text.slice(start));
  for (let end = start; end > groups && isSpace(text, end - 1); ) {
    let first = end - 1;
    while (first > groups && !isSpace(text, first - 1)) first--;
    const word = text.slice(first, end - 1);
    const wordHasDigit = /\d/.test(word);
    if (!wordHasDigit && word.length > 4) break;
    // Short words count only where they are followed by digits, or may be.
    if (wordHasDigit || hasDigit || end === start) held = first;
    hasDigit ||= wordHasDigit;
    end = first;
  }
  return held;
}

function isSpace(text: string, index: number): boolean {
  return /\s/.test(text.charAt(index));
}
