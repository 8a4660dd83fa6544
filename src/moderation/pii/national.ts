/**
 * National ids: numbers of a known form whose check digits are right, or, where there are none, whose ranges are, or
 * which stand behind a word that says what they are.
 */
import { byPattern, byWord, type Detector } from "../detector.ts";
import { digitsOf, isDay, luhn, mod11And10, verhoeff, weighted } from "./digits.ts";

export const nationalIds: readonly Detector[] = [
  // United States: social security numbers, which have ranges and no check digit.
  byPattern("us_ssn", /(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])/g, isSsn),
  byPattern(
    "us_ssn",
    /(?<=\b(?:ssn|social security(?: (?:number|no\.?|#))?)(?: is)?[:#]?\s{0,3})\d{3} ?\d{2} ?\d{4}(?![\w-])/gi,
    isSsn,
  ),
  // United Kingdom: national insurance and health service.
  byPattern(
    "uk_nino",
    /(?<![A-Z0-9])(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D](?![A-Z0-9])/gi,
  ),
  byPattern(
    "uk_nhs",
    /(?<=\bNHS(?: (?:number|no\.?))?(?: is)?[:#]?\s{0,3})\d{3}[ -]?\d{3}[ -]?\d{4}(?![\w-])/gi,
    isNhs,
  ),
  // Germany: the tax id.
  byPattern("de_tax_id", /(?<![\w.-])[1-9]\d ?\d{3} ?\d{3} ?\d{3}(?![\w-]|\.\d)/g, isSteuerId),
  // France: the number of the social security register.
  byPattern(
    "fr_nir",
    /(?<![\w.-])[1278] ?\d{2} ?(?:0[1-9]|1[0-2]|[2-9]\d) ?(?:\d{2}|2[AB]) ?\d{3} ?\d{3} ?\d{2}(?![\w-]|\.\d)/gi,
    isNir,
  ),
  // Spain: citizens and foreigners.
  byPattern("es_dni", /(?<![\w.-])\d{2}(?:\d{6}|\.\d{3}\.\d{3})[- ]?[A-Z](?![\w-])/gi, isDni),
  byPattern("es_nie", /(?<![\w.-])[XYZ]-?\d{7}-?[A-Z](?![\w-])/gi, isDni),
  // Italy: the fiscal code, of persons.
  byWord("it_codice_fiscale", 16, isCodiceFiscale),
  // Poland, with the day of birth.
  byPattern("pl_pesel", /(?<![\w.-])\d{11}(?![\w-]|\.\d)/g, isPesel),
  // Norway, likewise.
  byPattern("no_fodselsnummer", /(?<![\w.-])\d{6} ?\d{5}(?![\w-]|\.\d)/g, isFodselsnummer),
  // The Netherlands: one in eleven numbers is right, so that a word must say what it is.
  byPattern(
    "nl_bsn",
    /(?<=\b(?:bsn|burgerservicenummer|sofinummer|citizen service number)(?: nummer| number)?(?: is)?[:#]?\s{0,3})\d{3,4}[. -]?\d{2,3}[. -]?\d{3}(?![\w-])/gi,
    isBsn,
  ),
  // Brazil: taxpayers.
  byPattern("br_cpf", /(?<![\w.-])\d{3}\.?\d{3}\.?\d{3}-?\d{2}(?![\w-]|\.\d)/g, isCpf),
  // India: residents, in groups or behind the word; and taxpayers.
  byPattern("in_aadhaar", /(?<![\w.-]|\d )[2-9]\d{3}([ -])\d{4}\1\d{4}(?![\w-]| \d)/g, isAadhaar),
  byPattern(
    "in_aadhaar",
    /(?<=\b(?:aadhaar|aadhar|uidai|uid)(?: (?:number|no\.?|card))?(?: is)?[:#]?\s{0,3})[2-9]\d{11}(?![\w-])/gi,
    isAadhaar,
  ),
  byPattern("in_pan", /(?<![\w-])[A-Z]{3}P[A-Z]\d{4}[A-Z](?![\w-])/g),
  // Sweden, Finland, Belgium, China: with the day of birth.
  byPattern("se_personnummer", /(?<![\w.-])(?:19|20)?\d{6}[-+]\d{4}(?![\w-])/g, isPersonnummer),
  byPattern("fi_hetu", /(?<![\w.-])\d\d{5}[-+ABCDEFYXWVU]\d{3}[0-9A-Y](?![\w-])/g, isHetu),
  byPattern("be_rijksregister", /(?<![\w.-])\d{2}\.\d{2}\.\d{2}-\d{3}[.-]\d{2}(?![\w-])/g, isRijksregister),
  byPattern("cn_resident_id", /(?<![\w.-])[1-9]\d{16}[\dX](?![\w-]|\.\d)/gi, isResidentId),
  // Switzerland: the old-age insurance.
  byPattern("ch_ahv", /(?<![\w.-])756\.?\d{4}\.?\d{4}\.?\d{2}(?![\w-]|\.\d)/g, isAhv),
  // Canada: one in ten numbers is right.
  byPattern(
    "ca_sin",
    /(?<=\b(?:sin|nas|social insurance(?: (?:number|no\.?))?)(?: is)?[:#]?\s{0,3})\d{3}[ -]?\d{3}[ -]?\d{3}(?![\w-])/gi,
    (match) => luhn(digitsOf(match)),
  ),
];

function isSsn(match: string): boolean {
  return /^(?!000|666|9)\d{3}(?!00)\d{2}(?!0000)\d{4}$/.test(digitsOf(match));
}

function isNhs(match: string): boolean {
  const digits = digitsOf(match);
  const check = 11 - (weighted(digits, [10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11);
  return (check === 11 ? 0 : check) === Number(digits[9]);
}

/** Of the first ten digits one is there twice or thrice, and some other is missing. */
function isSteuerId(match: string): boolean {
  const digits = digitsOf(match);
  const counts = new Map<string, number>();
  for (const digit of digits.slice(0, 10)) counts.set(digit, (counts.get(digit) ?? 0) + 1);
  const repeated = [...counts.values()].filter((count) => count > 1);
  return repeated.length === 1 && (repeated[0] ?? 0) <= 3 && mod11And10(digits);
}

function isNir(match: string): boolean {
  const compact = match.replaceAll(" ", "").toUpperCase();
  const body = compact.slice(0, 13).replace("2A", "19").replace("2B", "18");
  return 97 - Number(BigInt(body) % 97n) === Number(compact.slice(13));
}

const DNI_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE";

function isDni(match: string): boolean {
  const compact = match.toUpperCase().replace(/[^A-Z0-9]/g, "");
  const number = compact.slice(0, -1).replace(/^[XYZ]/, (letter) => String("XYZ".indexOf(letter)));
  return DNI_LETTERS[Number(number) % 23] === compact.at(-1);
}

/** What characters at odd places count, from 0 to 9 and from A to Z; at even ones they count as they stand. */
const ODD = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];

/** Letters may stand for digits where two persons would have the same. */
const CODICE_FISCALE = /^[A-Z]{6}[\dLMNP-V]{2}[A-EHLMPRST][\dLMNP-V]{2}[A-Z][\dLMNP-V]{3}[A-Z]$/i;

function isCodiceFiscale(match: string): boolean {
  if (!CODICE_FISCALE.test(match)) return false;
  let sum = 0;
  for (const [index, char] of [...match.toUpperCase().slice(0, 15)].entries()) {
    const value = /\d/.test(char) ? Number(char) : char.charCodeAt(0) - 65;
    sum += index % 2 === 0 ? (ODD[value] ?? 0) : value;
  }
  return String.fromCharCode(65 + (sum % 26)) === match.at(-1)?.toUpperCase();
}

/** The month says the century too. */
function isPesel(match: string): boolean {
  const [year, month, day] = [match.slice(0, 2), match.slice(2, 4), match.slice(4, 6)].map(Number) as [
    number,
    number,
    number,
  ];
  const check = (10 - (weighted(match, [1, 3, 7, 9, 1, 3, 7, 9, 1, 3]) % 10)) % 10;
  return month % 20 > 0 && isDay(year, month % 20, day) && check === Number(match[10]);
}

function isFodselsnummer(match: string): boolean {
  const digits = digitsOf(match);
  const [day, month, year] = [digits.slice(0, 2), digits.slice(2, 4), digits.slice(4, 6)].map(Number) as [
    number,
    number,
    number,
  ];
  return (
    isDay(year, month, day > 40 ? day - 40 : day) &&
    weighted(digits, [3, 7, 6, 1, 8, 9, 4, 5, 2, 1]) % 11 === 0 &&
    weighted(digits, [5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1]) % 11 === 0
  );
}

function isBsn(match: string): boolean {
  const digits = digitsOf(match).padStart(9, "0");
  return (
    digits.length === 9 && Number(digits) > 0 && weighted(digits, [9, 8, 7, 6, 5, 4, 3, 2, -1]) % 11 === 0
  );
}

function isCpf(match: string): boolean {
  const digits = digitsOf(match);
  if (/^(\d)\1+$/.test(digits)) return false;
  const check = (weights: readonly number[]) => {
    const rest = (weighted(digits, weights) * 10) % 11;
    return rest === 10 ? 0 : rest;
  };
  return (
    check([10, 9, 8, 7, 6, 5, 4, 3, 2]) === Number(digits[9]) &&
    check([11, 10, 9, 8, 7, 6, 5, 4, 3, 2]) === Number(digits[10])
  );
}

function isAadhaar(match: string): boolean {
  return verhoeff(digitsOf(match));
}

/** In numbers of coordination the day is 60 more. */
function isPersonnummer(match: string): boolean {
  const digits = digitsOf(match).slice(-10);
  const day = Number(digits.slice(4, 6));
  const isBorn = isDay(Number(digits.slice(0, 2)), Number(digits.slice(2, 4)), day > 60 ? day - 60 : day);
  return isBorn && luhn(digits);
}

function isHetu(match: string): boolean {
  const [day, month, year] = [match.slice(0, 2), match.slice(2, 4), match.slice(4, 6)].map(Number) as [
    number,
    number,
    number,
  ];
  const number = Number(match.slice(0, 6) + match.slice(7, 10));
  return isDay(year, month, day) && "0123456789ABCDEFHJKLMNPRSTUVWXY"[number % 31] === match[10];
}

function isRijksregister(match: string): boolean {
  const digits = digitsOf(match);
  const rest = 97 - Number(digits.slice(9));
  return [digits.slice(0, 9), `2${digits.slice(0, 9)}`].some((born) => Number(born) % 97 === rest % 97);
}

function isResidentId(match: string): boolean {
  const [year, month, day] = [match.slice(6, 10), match.slice(10, 12), match.slice(12, 14)].map(Number) as [
    number,
    number,
    number,
  ];
  const sum = weighted(match, [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]);
  return (
    year >= 1900 &&
    year <= 2100 &&
    isDay(year, month, day) &&
    "10X98765432"[sum % 11] === match[17]?.toUpperCase()
  );
}

function isAhv(match: string): boolean {
  const digits = digitsOf(match);
  const sum = weighted(digits, [1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3]);
  return (10 - (sum % 10)) % 10 === Number(digits[12]);
}
