/** Finds one kind of thing in a text, in time that grows with the text alone. It does not know what that is. */

export interface Detector {
  readonly category: string;
  /** Places where such a thing is, in order. None overlaps another. */
  find(text: string): Iterable<Place>;
}

export interface Place {
  readonly start: number;
  readonly end: number;
}

/**
 * @param pattern global; matches in time that grows with the text alone
 * @param isOne whether what matched is one
 */
export function byPattern(
  category: string,
  pattern: RegExp,
  isOne: (match: string) => boolean = () => true,
): Detector {
  return {
    category,
    *find(text) {
      for (const { index, 0: match } of matches(pattern, text))
        if (isOne(match)) yield { start: index, end: index + match.length };
    },
  };
}

/**
 * What stands behind a label. A pattern that looks for such a thing, and for its label by a lookbehind, takes twenty times
 * as long.
 *
 * @param label global, and of bounded length
 * @param value sticky
 */
export function behind(category: string, label: RegExp, value: RegExp): Detector {
  return {
    category,
    *find(text) {
      let end = 0;
      // A label may be part of what stands behind another.
      for (const { index, 0: said } of matches(label, text, (match) => match.index + 1)) {
        const start = index + said.length;
        const found = start < end ? undefined : matchAt(value, text, start)?.[0];
        if (found === undefined) continue;
        end = start + found.length;
        yield { start, end };
      }
    },
  };
}

/** As `matchAll` has them, which makes another pattern each time. None is empty. */
export function* matches(
  pattern: RegExp,
  text: string,
  next = ({ index, 0: match }: RegExpExecArray) => index + match.length,
): Generator<RegExpExecArray> {
  for (let match = matchAt(pattern, text, 0); match; match = matchAt(pattern, text, next(match))) yield match;
}

function matchAt(pattern: RegExp, text: string, index: number): RegExpExecArray | null {
  pattern.lastIndex = index;
  return pattern.exec(text);
}

/**
 * Words of just so many letters and digits of ASCII, without a dash or an underscore beside them. Since the word has one
 * of every `length` characters, no others are looked at, which takes a tenth of what a pattern would.
 */
export function byWord(category: string, length: number, isOne: (word: string) => boolean): Detector {
  return {
    category,
    *find(text) {
      for (let at = length - 1; at < text.length; at += length) {
        if (!isAlphanumeric(text, at)) continue;
        let start = at;
        while (at - start < length && isAlphanumeric(text, start - 1)) start--;
        while (isAlphanumeric(text, at + 1)) at++;
        const end = at + 1;
        if (end - start !== length || isDash(text[start - 1]) || isDash(text[end])) continue;
        if (isOne(text.slice(start, end))) yield { start, end };
      }
    },
  };
}

function isAlphanumeric(text: string, index: number): boolean {
  const code = text.charCodeAt(index);
  return (code >= 48 && code <= 57) || (code >= 65 && code <= 90) || (code >= 97 && code <= 122);
}

function isDash(char: string | undefined): boolean {
  return char === "-" || char === "_";
}

/**
 * Looks only around what everything that it finds has in it, and most texts have not.
 *
 * @param anchor global
 * @param before how many characters matter before it, and `after` how many from it on
 */
export function around(
  anchor: RegExp,
  before: number,
  after: number,
  { category, find }: Detector,
): Detector {
  return {
    category,
    *find(text) {
      for (const { start, end } of partsAround(matches(anchor, text), before, after))
        for (const place of find(text.slice(start, end)))
          yield { start: start + place.start, end: start + place.end };
    },
  };
}

/** None overlaps another. */
function* partsAround(
  anchors: Iterable<{ readonly index: number }>,
  before: number,
  after: number,
): Generator<Place> {
  let part: Place | undefined;
  for (const { index } of anchors) {
    if (part && index - before <= part.end) part = { start: part.start, end: index + after };
    else {
      if (part) yield part;
      part = { start: Math.max(0, index - before), end: index + after };
    }
  }
  if (part) yield part;
}
