/**
 * How many tokens a text has, before a provider counted them. An estimate from
 * its length alone: a quarter of the UTF-8 bytes, which is near the truth for
 * English prose and code and above it for most other scripts.
 */
const BYTES_PER_TOKEN = 4;

export function estimateTextTokens(text: string): number {
  return Math.ceil(Buffer.byteLength(text) / BYTES_PER_TOKEN);
}
