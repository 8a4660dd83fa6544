/** What pictures and documents are, by the endings of their names. */

const TYPES: ReadonlyMap<string, string> = new Map([
  ["gif", "image/gif"],
  ["heic", "image/heic"],
  ["jpeg", "image/jpeg"],
  ["jpg", "image/jpeg"],
  ["pdf", "application/pdf"],
  ["png", "image/png"],
  ["webp", "image/webp"],
]);

/** Empty where it is none of those. */
export function mediaTypeOf(url: string): string {
  return TYPES.get(/\.(\w+)(?:[?#]|$)/.exec(url)?.[1]?.toLowerCase() ?? "") ?? "";
}
