/** Fields that a caller adds to the body by hand. */
import type { Violation } from "../core/failure.ts";

/** They replace nothing: a field that the gateway sets, or must be the one to set, is a violation. */
export function refuseTaken(extra: object, taken: (field: string) => boolean, wrong: Violation[]): void {
  for (const field of Object.keys(extra)) {
    if (taken(field)) wrong.push({ field: `extra_body.${field}`, description: "is set by the gateway" });
  }
}
