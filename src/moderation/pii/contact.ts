/** Where a person can be reached: e-mail addresses, telephone numbers as several countries write them, IP addresses. */
import { isIPv6 } from "node:net";
import { around, behind, byPattern, type Detector, matches } from "../detector.ts";
import { digitsOf } from "./digits.ts";

/** Not the names of files, such as `logo@2x.png`. */
const FILES = /\.(?:png|jpe?g|gif|svg|webp|css|js|json|html?)$/i;

const address: Detector = byPattern(
  "email",
  /(?<![\p{L}\p{N}._%+-])[\p{L}\p{N}_](?:[\p{L}\p{N}._%+'-]{0,62}[\p{L}\p{N}_+-])?@(?:[\p{L}\p{N}](?:[\p{L}\p{N}-]{0,61}[\p{L}\p{N}])?\.){1,8}\p{L}{2,24}(?![\p{L}\p{N}]|:[\w/]|\.\p{L})/gu,
  (match) => !FILES.test(match) && !match.includes(".."),
);
/** Letters of rare scripts are two characters each. */
const [LONGEST_NAME, LONGEST_DOMAIN] = [132, 1_100];
export const emails = around(
  /@(?<=[\p{L}\p{N}_+-]@)(?=[\p{L}\p{N}])/gu,
  LONGEST_NAME,
  LONGEST_DOMAIN,
  address,
);

/** Of the countries that there are. */
const CALLING_CODES =
  "(?:1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|2[1-689]\\d|3[578]\\d|42[0-3]|5[09]\\d|6[789]\\d|8[058]\\d|9[679]\\d)";
const international = byPattern(
  "phone",
  new RegExp(
    `(?<![\\w+.])(?:\\+ ?|(?<!\\d[ -])00 ?(?=\\d{1,3}[ .\\-/(]))${CALLING_CODES}(?:[ .\\-/()\\u00a0\\u2010-\\u2013]{0,2}\\d){6,13}(?![\\d])`,
    "g",
  ),
  (match) => digitsOf(match).replace(/^00/, "").length <= 15,
);

const SERVICE_CODES = /^[2-9]11/;
const northAmerican = byPattern(
  "phone",
  /(?<![\w.+-])(?:1[ .-])?(?:\([2-9]\d{2}\) ?|[2-9]\d{2}[ .-])[2-9]\d{2}[ .-]\d{4}(?![\w-]|\.\d)/g,
  (match) => {
    const [area = "", exchange = ""] = [digitsOf(match).slice(-10, -7), digitsOf(match).slice(-7, -4)];
    return !SERVICE_CODES.test(area) && !SERVICE_CODES.test(exchange);
  },
);

/** With the trunk's 0 before them, in groups that say what they are. */
const national: readonly RegExp[] = [
  // United Kingdom
  /(?<![\w.+-])(?:0\d{4} \d{6}|0\d{4} \d{3} \d{3}|0\d{3} \d{3} \d{4}|02\d \d{4} \d{4}|\(0\d{2,4}\) \d{3,4} ?\d{3,4}|07\d{3} ?\d{6}|07\d{3} \d{3} \d{3})(?![\w-])/g,
  // France
  /(?<![\w.+-])0[1-9](?:([ .-])\d{2})(?:\1\d{2}){3}(?![\w-])/g,
  /(?<![\w.+-])0[67]\d{8}(?![\w-])/g,
  // Germany
  /(?<![\w.+-])\(?0[1-9]\d{1,4}\)? ?\/ ?\d{3,8}(?:[ -]\d{1,6}){0,3}(?![\w-])/g,
  /(?<![\w.+-])01[5-7]\d{1,2}[ -]\d{3,4}[ -]?\d{3,5}(?![\w-])/g,
  /(?<![\w.+-])0(?:[2-9]0|[2-9]\d{2,3}) \d{6,8}(?![\w-])/g,
  // India
  /(?<![\w.+-])[6-9]\d{4} \d{5}(?![\w-])/g,
  // Brazil
  /(?<![\w.+-])\(\d{2}\) ?9?\d{4}-\d{4}(?![\w-])/g,
  // Japan
  /(?<![\w.+-])0\d{1,3}-\d{2,4}-\d{4}(?![\w-])/g,
];

/** Behind a word that says so, any number of the right length is one. */
const labelled = behind(
  "phone",
  /\b(?:phone|telephone|tel|mobile|cell|call|fax|whatsapp|handy|telefon|mobil|portable|gsm|celular|telefono|telefoon|ring|text me (?:at|on))(?: number| no| nr)?[.:]{0,2}\s{0,3}(?:(?:at|on|is|me on|me at|us at|us on) )?/gi,
  /\(?\d(?:[ .\-/()]{0,2}\d){6,14}(?![\w])/y,
);

export const phones: readonly Detector[] = [
  international,
  northAmerican,
  ...national.map((pattern) =>
    byPattern("phone", pattern, (match) => {
      const { length } = digitsOf(match);
      return length >= 9 && length <= 13;
    }),
  ),
  labelled,
];

const OCTET = "(?:25[0-5]|2[0-4]\\d|1\\d{2}|[1-9]?\\d)";
const v4 = byPattern(
  "ip_address",
  new RegExp(
    `(?<![\\w.+-]|\\b(?:v|version|ver|release|section|build|firmware|rev)[.:]?\\s{0,2})(?:${OCTET}\\.){3}${OCTET}(?![\\w-]|\\.\\d)`,
    "gi",
  ),
  // Those of every machine are nobody's.
  (match) => !/^(?:127\.|0\.0\.0\.0$|255\.255\.255\.)/.test(match),
);

/** From the first colon on, which few words have: the digits before it are looked for from there. */
const V6 = /:(?<=(?<![\w:.])(?<first>[0-9a-f]{0,4}):)[0-9a-f:]{1,38}(?![\w:]|\.\d)/gi;
const v6: Detector = {
  category: "ip_address",
  *find(text) {
    for (const { index, 0: rest, groups } of matches(V6, text)) {
      const { first = "" } = groups ?? {};
      const start = index - first.length;
      if (isIPv6(first + rest) && digitsIn(first + rest) > 2) yield { start, end: index + rest.length };
    }
  },
};

function digitsIn(text: string): number {
  return text.replaceAll(":", "").length;
}

export const ips: readonly Detector[] = [v4, v6];
