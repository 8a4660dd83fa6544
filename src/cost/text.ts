/**
 * What a text is made of, in one pass and in the tokens of OpenAI's newest encoding (o200k), by which others are
 * measured. It knows neither models nor requests.
 */

/** Sums over texts. */
export interface TextShape {
  /** Estimated for what is written in Latin letters, digits and signs. */
  tokens: number;
  /** Estimated for what is written otherwise. */
  foreignTokens: number;
  /** How many tokens more it may have: words that nobody writes, keys, codes, rare signs. */
  strayTokens: number;
  /** In UTF-8: no tokenizer makes more tokens than that. */
  bytes: number;
}

export function noText(): TextShape {
  return { tokens: 0, foreignTokens: 0, strayTokens: 0, bytes: 0 };
}

/** Adds a text to the sums. */
export function addText(shape: TextShape, text: string): void {
  const { length } = text;
  let words = 0;
  let longLetters = 0;
  let digitGroups = 0;
  let seams = 0;
  let signs = 0;
  let signRuns = 0;
  let lineRuns = 0;
  let spaceRuns = 0;
  let foreignTokens = 0;
  let strayTokens = 0;
  let moreBytes = 0;
  let before = NONE;
  let run = 0;
  for (let at = 0; at < length; at++) {
    const code = text.charCodeAt(at);
    let kind = NONE;
    if (code < 128) kind = KINDS[code] ?? SIGN;
    else {
      const page = code >> 6;
      foreignTokens += PAGE_TOKENS[page] ?? 0;
      strayTokens += PAGE_STRAY[page] ?? 0;
      moreBytes += PAGE_BYTES[page] ?? 0;
    }
    switch (kind) {
      case LOWER: {
        // Most of most texts: run through it at once. A capital before it begins the same word.
        const start = before === UPPER ? at - run : at;
        while (isLower(text.charCodeAt(at + 1))) at++;
        if (before !== UPPER) words++;
        if (before === DIGIT) seams++;
        longLetters += Math.max(0, at + 1 - start - USUAL_LETTERS);
        break;
      }
      case UPPER: {
        // Where a capital follows a small letter, as in camelCase, a word begins.
        const start = at;
        while (isUpper(text.charCodeAt(at + 1))) at++;
        words++;
        if (before === LOWER || before === DIGIT) seams++;
        run = at + 1 - start;
        if (!isLower(text.charCodeAt(at + 1))) longLetters += Math.max(0, run - USUAL_LETTERS);
        break;
      }
      case DIGIT:
        if (before !== DIGIT || ++run > DIGITS_PER_TOKEN) {
          digitGroups++;
          run = 1;
        }
        break;
      case SIGN:
        signs++;
        if (before !== SIGN) signRuns++;
        break;
      case SPACE:
        // A single space belongs to the word behind it.
        if (before !== SPACE) run = 1;
        else if (++run === 2) spaceRuns++;
        break;
      case LINE:
        if (before !== LINE) lineRuns++;
        break;
    }
    before = kind;
  }
  shape.bytes += length + moreBytes;
  shape.foreignTokens += foreignTokens;
  shape.tokens +=
    WORD * words +
    LONG_LETTER * longLetters +
    DIGIT_GROUP * digitGroups +
    SIGN_RUN * signRuns +
    ONE_SIGN * signs +
    LINE_RUN * lineRuns +
    SPACE_RUN * spaceRuns;
  shape.strayTokens += strayTokens + STRAY_LETTER * longLetters + STRAY_SEAM * seams + STRAY_SIGN * signs;
}

/** Past the end, a code is not a number. */
function isLower(code: number): boolean {
  return code >= 97 && code <= 122;
}

function isUpper(code: number): boolean {
  return code >= 65 && code <= 90;
}

/** What a code unit is. */
const NONE = 0;
const LOWER = 1;
const UPPER = 2;
const DIGIT = 3;
const SIGN = 4;
const SPACE = 5;
const LINE = 6;

const KINDS = Uint8Array.from({ length: 128 }, (_, code) => {
  const sign = String.fromCharCode(code);
  if (/[a-z]/.test(sign)) return LOWER;
  if (/[A-Z]/.test(sign)) return UPPER;
  if (/\d/.test(sign)) return DIGIT;
  if (/[ \t]/.test(sign)) return SPACE;
  return /[\r\n]/.test(sign) ? LINE : SIGN;
});

/** As many letters make a word that is one token, mostly. */
const USUAL_LETTERS = 6;
const DIGITS_PER_TOKEN = 3;

// Fitted by least absolute relative error to o200k's own counts of 2,800 pieces of 800 characters, of prose, code,
// JSON and translations: the median error is 3 %, the 90th percentile 10 %.
const WORD = 1.04;
const LONG_LETTER = 0.063;
const DIGIT_GROUP = 1.43;
const SIGN_RUN = 0.72;
const ONE_SIGN = 0.04;
const LINE_RUN = 0.4;
const SPACE_RUN = 0.9;
/** What random letters and signs have beyond that, and what is pieced together of letters and digits. */
const STRAY_LETTER = 0.55;
const STRAY_SEAM = 0.9;
const STRAY_SIGN = 0.15;

/** Letters beyond ASCII, by ranges of code units: the last of each, its tokens for a letter, and how many at most. */
const SCRIPTS: readonly (readonly [last: number, tokens: number, most: number])[] = [
  [0x24f, 0.6, 1.3], // Latin with marks: it stands in a word that is cut at it
  [0x37f, 1.2, 2],
  [0x57f, 0.36, 1], // Greek, Cyrillic, Armenian
  [0x77f, 0.38, 1], // Hebrew, Arabic
  [0x10ff, 0.43, 1.6], // Indic scripts, Thai, Georgian
  [0x11ff, 0.75, 2],
  [0x1fff, 1.5, 3], // Ethiopic, Khmer, Mongolian
  [0x303f, 0.85, 2], // dashes, arrows, mathematics, signs between ideographs
  [0x30ff, 0.75, 1.5], // Kana
  [0xabff, 0.79, 2.2], // ideographs
  [0xd7ff, 0.65, 1.6], // Hangul
  [0xdfff, 1, 2], // halves of emoji and of rare ideographs
  [0xffff, 0.85, 3],
];

/** Of 64 code units each. */
const PAGES = Array.from({ length: 1024 }, (_, page) => {
  const first = page * 64;
  const [, tokens = 0, most = 0] = SCRIPTS.find(([last]) => first <= last) ?? [];
  // Half of a pair has two of its four bytes. One is counted with the length.
  const bytes = first < 0x800 || (first >= 0xd800 && first < 0xe000) ? 1 : 2;
  return { tokens, stray: most - tokens, bytes };
});
const PAGE_TOKENS = Float64Array.from(PAGES, ({ tokens }) => tokens);
const PAGE_STRAY = Float64Array.from(PAGES, ({ stray }) => stray);
const PAGE_BYTES = Uint8Array.from(PAGES, ({ bytes }) => bytes);
