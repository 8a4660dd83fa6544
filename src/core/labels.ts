/** The caller's own labels, as they may be kept: a caller may put anything into them, a key included. */
import { redact } from "./redact.ts";

const NONE: Readonly<Record<string, string>> = Object.freeze({});

export function labelsOf({
  metadata,
}: {
  readonly metadata: Readonly<Record<string, string>>;
}): Readonly<Record<string, string>> {
  const entries = Object.entries(metadata);
  if (entries.length === 0) return NONE;
  return Object.fromEntries(entries.map(([name, value]) => [name, redact(value)]));
}
