/** Payment cards and bank accounts: numbers of a known issuer or country, of its length, whose check digits are right. */
import { type Detector, matches, type Place } from "../detector.ts";
import { luhn, mod97 } from "./digits.ts";

/** What stands between groups of digits: a space of any width, or a dash. */
const GAP = "[ \\u00a0\\u2009\\u202f\\u2010-\\u2013-]";

const RUN = new RegExp(`(?<![\\w]|\\d[.,])\\d(?:${GAP}?\\d){11,63}(?![\\w])`, "g");
const GAPS = new RegExp(GAP);

export const cards: Detector = {
  category: "card",
  *find(text) {
    for (const { index, 0: run } of matches(RUN, text)) yield* cardsIn(run, index);
  },
};

/** A run may hold more than a card: a date or a code before or behind it. */
function* cardsIn(run: string, at: number): Generator<Place> {
  const groups = run.split(GAPS);
  let start = at;
  for (let first = 0; first < groups.length; first++) {
    const length = cardFrom(groups, first);
    if (length > 0) {
      const card = groups.slice(first, first + length);
      const end = start + card.join(" ").length;
      yield { start, end };
      first += length - 1;
      start = end + 1;
    } else start += (groups[first]?.length ?? 0) + 1;
  }
}

/** How many groups from here on are a card; 0 for none. */
function cardFrom(groups: readonly string[], first: number): number {
  let digits = "";
  for (let count = 1; first + count <= groups.length && digits.length < 19; count++) {
    const group = groups[first + count - 1] ?? "";
    digits += group;
    const isGrouped = groups.slice(first, first + count).every(({ length }) => length >= 3 && length <= 7);
    if ((count === 1 || isGrouped) && isCard(digits)) return count;
  }
  return 0;
}

/** First digits, from and to, and the lengths of such numbers. */
const ISSUERS: readonly (readonly [from: number, to: number, least: number, most: number])[] = [
  [4, 4, 16, 16],
  [4, 4, 13, 13],
  [4, 4, 19, 19],
  [51, 55, 16, 16],
  [2221, 2720, 16, 16],
  [34, 34, 15, 15],
  [37, 37, 15, 15],
  [6011, 6011, 16, 19],
  [644, 659, 16, 19],
  [300, 305, 14, 19],
  [309, 309, 14, 19],
  [36, 36, 14, 19],
  [38, 39, 14, 19],
  [3528, 3589, 16, 19],
  [62, 62, 16, 19],
  [81, 82, 16, 16],
  [60, 60, 16, 16],
  [508, 508, 16, 16],
  [2200, 2204, 16, 19],
  [5018, 5018, 12, 19],
  [5020, 5020, 12, 19],
  [5038, 5038, 12, 19],
  [5893, 5893, 12, 19],
  [6304, 6304, 12, 19],
  [6759, 6759, 12, 19],
  [6761, 6763, 12, 19],
];

export function isCard(digits: string): boolean {
  return (
    digits.length >= 12 &&
    digits.length <= 19 &&
    ISSUERS.some(([from, to, least, most]) => {
      const head = Number(digits.slice(0, String(from).length));
      return head >= from && head <= to && digits.length >= least && digits.length <= most;
    }) &&
    luhn(digits)
  );
}

/** How long an IBAN is, by its country. */
const IBAN_LENGTHS: Readonly<Record<string, number>> = Object.fromEntries(
  (
    "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 " +
    "ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 " +
    "LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 " +
    "RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30"
  )
    .split(" ")
    .map((entry) => [entry.slice(0, 2), Number(entry.slice(2))]),
);

const IBAN_START = /(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}/g;

export const ibans: Detector = {
  category: "iban",
  *find(text) {
    let from = 0;
    for (const { index } of matches(IBAN_START, text)) {
      if (index < from) continue;
      const end = ibanEnd(text, index);
      if (end === undefined) continue;
      yield { start: index, end };
      from = end;
    }
  },
};

function ibanEnd(text: string, start: number): number | undefined {
  const length = IBAN_LENGTHS[text.slice(start, start + 2).toUpperCase()];
  if (length === undefined) return undefined;
  let compact = "";
  let end = start;
  for (let gap = false; compact.length < length; end++) {
    const char = text[end] ?? "";
    if (/^[A-Za-z0-9]$/.test(char)) {
      compact += char.toUpperCase();
      gap = false;
    } else if (!gap && GAPS.test(char)) gap = true;
    else return undefined;
  }
  const isOver = !/^[A-Za-z0-9]/.test(text.slice(end, end + 1));
  return isOver && mod97(compact.slice(4) + compact.slice(0, 4)) === 1 ? end : undefined;
}
