/** Secrets by their form: keys and tokens as services make them, and what stands behind a word such as `password`. */
import { behind, byPattern, type Detector } from "./detector.ts";
import type { Patterns } from "./hook.ts";
import { scan } from "./scan.ts";

const BEGIN = "-----BEGIN";
const LONGEST_KEY = 16_384;

/**
 * Each matches in one pass: what repeats is bounded or ends the match. Quotes may be those of JSON that stands in a
 * text of JSON, and so have backslashes before them, which stay; a word begins behind an escape such as `\n` too.
 */
const DETECTORS: readonly Detector[] = [
  byPattern(
    "private_key",
    /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?:[^-]|-(?!----END )){0,16000}(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----)?/g,
  ),
  byPattern(
    "api_key",
    /(?:\b|(?<=\\[bfnrt]))(?:sk|pk|rk|gsk|csk|xai|hf|r8|fw|pplx|nvapi|gh[opsur]|glpat|npm|xox[abeprs])[-_](?=[A-Za-z_-]{0,64}\d)[A-Za-z0-9_-]{12,512}/g,
  ),
  byPattern("api_key", /(?:\b|(?<=\\[bfnrt]))github_pat_\w{16,256}/g),
  byPattern("api_key", /(?:\b|(?<=\\[bfnrt]))whsec_[A-Za-z0-9+/=]{12,256}/g),
  byPattern("api_key", /(?:\b|(?<=\\[bfnrt]))AIza[A-Za-z0-9_-]{16,128}/g),
  byPattern("api_key", /(?:\b|(?<=\\[bfnrt]))(?:AKIA|ASIA)[A-Z0-9]{12,64}(?![A-Za-z0-9])/g),
  byPattern("api_key", /(?:\b|(?<=\\[bfnrt]))SG\.[A-Za-z0-9_-]{16,64}\.[A-Za-z0-9_-]{16,128}/g),
  byPattern("api_key", /(?:\b|(?<=\\[bfnrt]))(?:AC|SK)[0-9a-f]{32}(?![A-Za-z0-9])/g),
  byPattern("token", /(?:\b|(?<=\\[bfnrt]))ya29\.[A-Za-z0-9_.-]{10,512}/g),
  // What is none is passed over as a whole, since many could begin in it.
  byPattern(
    "token",
    /(?:\b|(?<=\\[bfnrt]))eyJ[A-Za-z0-9_-]{8,2048}(?:\.[A-Za-z0-9_-]{8,4096}(?:\.[A-Za-z0-9_-]{0,1024}){0,3})?/g,
    (match) => match.includes("."),
  ),
  behind(
    "token",
    /(?:\b|(?<=\\[bfnrt]))Bearer\s{1,8}(?:\\{0,7}["'])?/gi,
    /(?=[A-Za-z._~+/=-]{0,64}\d)[A-Za-z0-9._~+/=-]{12,4096}/y,
  ),
  behind(
    "token",
    /(?:\b|(?<=\\[bfnrt]))authorization(?:\\{0,7}["'])?\s{0,8}[:=]\s{0,8}(?:\\{0,7}["'])?Basic\s{1,8}/gi,
    /[A-Za-z0-9+/=]{6,4096}/y,
  ),
  behind(
    "password",
    /(?:\b|(?<=\\[bfnrt]))(?:password|passwd|pwd|passphrase)(?:\\{0,7}["'])?\s{0,8}[:=]\s{0,8}(?:\\{0,7}["'])?/gi,
    /(?=[A-Za-z]{0,64}(?:[^\sA-Za-z"',;)`\\]|\\(?!\\{0,7}["'])))(?:[^\s"',;`\\]|\\(?!\\{0,7}["'])){6,256}/y,
  ),
  behind(
    "api_key",
    /(?:api[-_ ]?key|subscription-key|secret|token|access[-_ ]?key)(?:\\{0,7}["'])?\s{0,8}[:=]\s{0,8}(?:\\{0,7}["'])?/gi,
    /(?=[^\s\d"',;]{0,64}\d)(?:[^\s"',;\\]|\\(?!\\{0,7}["'])){12,512}/y,
  ),
  behind(
    "token",
    /[?&](?:key|api[-_]?key|token|access_token|sig|signature|x-amz-signature)=/gi,
    /[^\s&"']{8,512}/y,
  ),
  // No address goes on behind the quotes that it stands in: the at sign there is another's.
  behind("password", /:\/\/[^\s/@:"'<>]{0,64}:/g, /(?:[^\s/@"]|"(?![,:}\]>])){1,256}(?=@)/y),
];

export const SECRET_CATEGORIES: readonly string[] = [...new Set(DETECTORS.map(({ category }) => category))];

/** @param categories of those; empty for all */
export function secrets(categories: readonly string[]): Patterns {
  const detectors =
    categories.length === 0 ? DETECTORS : DETECTORS.filter(({ category }) => categories.includes(category));
  return { kind: "patterns", find: (text) => scan(text, detectors), heldFrom };
}

/** The last word, as long as a token may be; and a private key until it ends. */
function heldFrom(text: string): number {
  const least = Math.max(0, text.length - 8_192);
  let start = text.length;
  while (start > least && !/\s/.test(text.charAt(start - 1))) start--;
  const begun = text.lastIndexOf(BEGIN);
  if (begun < 0 || text.length - begun > LONGEST_KEY) return start;
  const isEnded = /-----END [A-Z0-9 ]{0,40}-----/.test(text.slice(begun));
  const isKey = /^-----BEGIN [A-Z0-9 ]{0,48}(?:PRIVATE KEY(?: BLOCK)?-{0,5}|$)/.test(
    text.slice(begun, begun + 80),
  );
  return isKey && !isEnded ? Math.min(begun, start) : start;
}
