/** What the regular expressions in the rules of requests ask for, in words: few callers read those. */

const WORDS: Readonly<Record<string, string>> = {
  "^[a-zA-Z0-9_-]{1,64}$": "must be 1 to 64 letters, digits, _ and -",
  "^[a-zA-Z0-9_-]{0,64}$": "must be at most 64 letters, digits, _ and -",
  "^[A-Za-z_][A-Za-z0-9_]{0,63}$": "must be at most 64 letters, digits and _, and begin with no digit",
  "^[^=]+=.*$": "must be NAME=VALUE, in one line",
  "^([^=]+=[^\\n]*)?$": "must be NAME=VALUE, in one line",
  "^[^/]+/.+$": "must be PROVIDER/MODEL",
  "^(all|[^/]+/.+)$": "must be PROVIDER/MODEL or all",
  "^(provider|model|operation|tenant|key|route|hour|day|tag:.+)$":
    "must be one of provider, model, operation, tenant, key, route, hour, day and tag:NAME",
  "^[^\\x00-\\x1f\\x7f-\\x9f]*[^\\x00-\\x20\\x7f-\\x9f][^\\x00-\\x1f\\x7f-\\x9f]*$":
    "must be a line that is not blank, without control characters",
};

/** Undefined where there are none for it. */
export function patternWords(pattern: string): string | undefined {
  return Object.hasOwn(WORDS, pattern) ? WORDS[pattern] : undefined;
}
