/** What the caller's own key for a request is, and when two requests are the same. It does not know what is kept under a key. */
import { createHash } from "node:crypto";
import type { RequestContext } from "./call.ts";
import { invalidRequest } from "./failure.ts";

const MAX_KEY_LENGTH = 255;

/**
 * From the field or the header; empty for none.
 *
 * @throws Failure `invalid_request` when there are two, or it is too long
 */
export function idempotencyKeyOf(
  { idempotencyKey: field }: { readonly idempotencyKey: string },
  { idempotencyKey: header }: Pick<RequestContext, "idempotencyKey">,
): string {
  if (header.length > MAX_KEY_LENGTH)
    throw invalidRequest([
      { field: "idempotency-key", description: `the header must have at most ${MAX_KEY_LENGTH} characters` },
    ]);
  if (header && field && field !== header)
    throw invalidRequest([
      { field: "idempotency_key", description: "differs from the idempotency-key header; send one of them" },
    ]);
  return field || header;
}

/** A hash of values that JSON can hold. Clients write a map in any order, and in another one when they send it again. */
export function fingerprintOf(values: Iterable<unknown>): string {
  const digest = createHash("sha256");
  for (const value of values) digest.update(JSON.stringify(value, inOrder));
  return digest.digest("hex");
}

function inOrder(_: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1)));
}
