/** Finds what several detectors find in a text, each part of it once. It does not know what they look for. */
import type { Detector } from "./detector.ts";
import type { Span } from "./hook.ts";

/** Of those that overlap, the one of the earlier detector counts. */
export function scan(text: string, detectors: readonly Detector[]): readonly Span[] {
  let found: readonly Span[] = [];
  for (const detector of detectors) found = merged(found, detector, text);
  return found;
}

/** In one pass over both, since a caller chooses how many there are. */
function merged(known: readonly Span[], { category, find }: Detector, text: string): readonly Span[] {
  const all: Span[] = [];
  let next = 0;
  for (const { start, end } of find(text)) {
    for (let span = known[next]; span && span.end <= start; span = known[++next]) all.push(span);
    const after = known[next];
    if (!after || after.start >= end) all.push({ start, end, category });
  }
  return all.length === 0 ? known : [...all, ...known.slice(next)];
}
