/**
 * Takes secrets out of text that people will read. It knows what the keys of
 * this field look like; texts that may hold one go through here before they are kept.
 */

/**
 * Known by themselves. Each matches in one pass, for the text may come from anyone; and as it may be JSON, a word begins
 * behind an escape such as `\n` too.
 */
const SECRETS: readonly RegExp[] = [
  /(?:\b|(?<=\\[bfnrt]))(?:sk|pk|rk|gsk|csk|xai|hf|r8|fw|pplx|nvapi|ghp|key)[-_][A-Za-z0-9_*.-]{6,}/g,
  /(?:\b|(?<=\\[bfnrt]))whsec_[A-Za-z0-9+/=]{6,}/g,
  /(?:\b|(?<=\\[bfnrt]))AIza[A-Za-z0-9_-]{10,}/g,
  /(?:\b|(?<=\\[bfnrt]))ya29\.[A-Za-z0-9_.-]{10,}/g,
  /(?:\b|(?<=\\[bfnrt]))(?:AKIA|ASIA)[A-Z0-9]{12,}/g,
  /(?:\b|(?<=\\[bfnrt]))eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]+)*/g,
];

/** Known by what stands before them, which stays. */
const LABELLED: readonly RegExp[] = [
  /((?:\b|(?<=\\[bfnrt]))(?:Bearer|Basic)\s+)[A-Za-z0-9._~+/=-]{6,}/gi,
  /((?:(?:\b|(?<=\\[bfnrt]))(?:api[-_ ]?key(?: provided)?|subscription-key|token|secret|password)|[?&]key)(?:\\{0,7}["'])?\s*[:=]\s*(?:\\{0,7}["'])?)(?:[^\s"',;&\\]|\\(?!\\{0,7}["'])){4,}/gi,
  /(:\/\/[^\s/@:]*:)[^\s/@]+(?=@)/g,
];

export function redact(text: string): string {
  const clean = SECRETS.reduce((rest, secret) => rest.replace(secret, "[redacted]"), text);
  return LABELLED.reduce((rest, secret) => rest.replace(secret, "$1[redacted]"), clean);
}

/** For a key that is at hand, whatever it looks like; what is shorter than any real key is left alone. */
export function withoutKey(text: string, key: string): string {
  return key.length >= 8 ? text.replaceAll(key, "[redacted]") : text;
}
