/** The ids of tool calls, in the one form that Mistral takes back. */
import { createHash } from "node:crypto";

const TAKEN = /^[a-zA-Z0-9]{9}$/;
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/**
 * Mistral refuses any other id ("must be a-z, A-Z, 0-9, with a length of 9", code 3280), also in
 * a conversation that began elsewhere. Its own stay as they are; one id always becomes the same.
 */
export function callId(id: string): string {
  if (TAKEN.test(id)) return id;
  const digest = createHash("sha256").update(id).digest();
  return Array.from(digest.subarray(0, 9), (byte) => ALPHABET[byte % ALPHABET.length]).join("");
}
