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
  let signs = 0;
  let signRuns = 0;
  let lineRuns = 0;
  let spaceRuns = 0;
  let before = NONE;
  let run = 0;
  for (let at = 0; at < length; at++) {
    const code = text.charCodeAt(at);
    let kind = NONE;
    if (code < 128) kind = KINDS[code] ?? SIGN;
    else addForeign(shape, code);
    switch (kind) {
      case LOWER:
        if (before === LOWER || before === UPPER) {
          if (++run > USUAL_LETTERS) longLetters++;
        } else {
          words++;
          run = 1;
        }
        break;
      case UPPER:
        // Where a capital follows a small letter, as in camelCase, a word begins.
        if (before === UPPER) {
          if (++run > USUAL_LETTERS) longLetters++;
        } else {
          words++;
          run = 1;
        }
        break;
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
  shape.bytes += length;
  shape.tokens +=
    WORD * words +
    LONG_LETTER * longLetters +
    DIGIT_GROUP * digitGroups +
    SIGN_RUN * signRuns +
    ONE_SIGN * signs +
    LINE_RUN * lineRuns +
    SPACE_RUN * spaceRuns;
  shape.strayTokens += STRAY_LETTER * longLetters + STRAY_SIGN * signs;
}

/** Of what is a code unit of a string made? */
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
/** What random letters and signs have beyond that. */
const STRAY_LETTER = 0.5;
const STRAY_SIGN = 0.15;

/** Letters beyond ASCII, by ranges of code units: the last of each, its tokens for a letter, and how many at most. */
const SCRIPTS: readonly (readonly [last: number, tokens: number, most: number])[] = [
  [0x24f, 0.6, 1.3], // Latin with marks: it stands in a word that is cut at it
  [0x36f, 1.2, 2],
  [0x58f, 0.36, 1], // Greek, Cyrillic, Armenian
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
const SCRIPT_OF = Uint8Array.from({ length: 256 }, (_, high) =>
  SCRIPTS.findIndex(([last]) => high << 8 <= last),
);

function addForeign(shape: TextShape, code: number): void {
  const first = SCRIPT_OF[code >> 8] ?? 0;
  let script = SCRIPTS[first];
  if (script && code > script[0]) script = SCRIPTS[first + 1];
  const [, tokens, most] = script ?? [0, 1, 3];
  shape.foreignTokens += tokens;
  shape.strayTokens += most - tokens;
  // Half of a pair has two of its four bytes. One is counted with the length.
  shape.bytes += code < 0x800 || (code >= 0xd800 && code < 0xe000) ? 1 : 2;
}
