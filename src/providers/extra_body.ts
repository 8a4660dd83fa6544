/** Fields that a caller adds to the body by hand. */
import { invalidRequest, type Violation } from "../core/failure.ts";

/** They replace nothing: a field that the gateway sets, or must be the one to set, is a violation. */
export function refuseTaken(extra: object, taken: (field: string) => boolean, wrong: Violation[]): void {
  for (const field of Object.keys(extra)) {
    if (taken(field)) wrong.push({ field: `extra_body.${field}`, description: "is set by the gateway" });
  }
}

/**
 * The fields, where the gateway sets none of them.
 *
 * @throws Failure `invalid_request`
 */
export function addedFields(extra: object = {}, taken: readonly string[]): object {
  const wrong: Violation[] = [];
  refuseTaken(extra, (field) => taken.includes(field), wrong);
  if (wrong.length > 0) throw invalidRequest(wrong);
  return extra;
}
