/**
 * Tells whether a text holds what looks like a secret: keys by their forms, and what stands behind a word such as
 * `password`. It would rather find one too many, but takes no ordinary prose for one.
 */

/**
 * Each matches in one pass, since the text may come from anyone: what repeats is bounded or ends the match. In JSON, a
 * word begins behind an escape such as `\n` too.
 */
const SECRETS: readonly RegExp[] = [
  /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY/,
  /(?:\b|(?<=\\[bfnrt]))(?:sk|pk|rk|gsk|csk|xai|hf|r8|fw|pplx|nvapi|gh[opsur]|glpat|npm|xox[abeprs])[-_](?=[A-Za-z_-]{0,64}\d)[A-Za-z0-9_-]{12,}/,
  /(?:\b|(?<=\\[bfnrt]))github_pat_\w{16,}/,
  /(?:\b|(?<=\\[bfnrt]))whsec_[A-Za-z0-9+/=]{12,}/,
  /(?:\b|(?<=\\[bfnrt]))AIza[A-Za-z0-9_-]{16,}/,
  /(?:\b|(?<=\\[bfnrt]))ya29\.[A-Za-z0-9_.-]{10,}/,
  /(?:\b|(?<=\\[bfnrt]))(?:AKIA|ASIA)[A-Z0-9]{12,}/,
  // Looked for from its dot backwards, since many could begin before one.
  /(?<=(?:\b|(?<=\\[bfnrt]))eyJ[A-Za-z0-9_-]{8,512})\.[A-Za-z0-9_-]{8,}/,
  /(?:\b|(?<=\\[bfnrt]))Bearer\s{1,8}(?:\\{0,7}["'])?(?=[A-Za-z._~+/=-]{0,64}\d)[A-Za-z0-9._~+/=-]{12,}/i,
  /(?:\b|(?<=\\[bfnrt]))authorization(?:\\{0,7}["'])?\s{0,8}[:=]\s{0,8}(?:\\{0,7}["'])?Basic\s{1,8}[A-Za-z0-9+/=]{6,}/i,
  /(?:\b|(?<=\\[bfnrt]))(?:password|passwd|pwd)(?:\\{0,7}["'])?\s{0,8}[:=]\s{0,8}(?:\\{0,7}["'])?(?=[A-Za-z]{0,64}[^\sA-Za-z"',;)`])[^\s"',;`]{6,}/i,
  /(?:api[-_ ]?key|subscription-key|secret|token|access[-_ ]?key)(?:\\{0,7}["'])?\s{0,8}[:=]\s{0,8}(?:\\{0,7}["'])?(?=[^\s\d"',;]{0,64}\d)[^\s"',;]{12,}/i,
  /[?&](?:key|api[-_]?key|token|access_token|sig|signature|x-amz-signature)=[^\s&"']{8,}/i,
  /:\/\/[^\s/@:"'<>]{0,256}:(?:[^\s/@"]|"(?![,:}\]>])){1,256}@/,
];

export function hasSecret(text: string): boolean {
  return SECRETS.some((secret) => secret.test(text));
}
