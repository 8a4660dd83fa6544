/** @returns what was thrown, in words: anything can be thrown, though it is nearly always an Error */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
