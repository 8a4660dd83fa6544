/**
 * Ids of tool calls where Google gives none: models before Gemini 3 tie results
 * to calls by the tool's name and the order alone, but callers need an id.
 */

const PREFIX = "gemini-";

/**
 * The same for the same reply, and no other reply's: `gemini-<responseId>-<n>`.
 * It has the characters and the length that other providers' ids may have, so
 * that the conversation can go on anywhere.
 */
export function madeUpId(responseId: string, n: number): string {
  return responseId ? `${PREFIX}${responseId}-${n}` : `${PREFIX}${n}`;
}

/** Google is never sent an id that it did not give, unless another provider did. */
export function isMadeUp(id: string): boolean {
  return id.startsWith(PREFIX);
}
