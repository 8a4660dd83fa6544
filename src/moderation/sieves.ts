/** The sieves that a stream goes through: one for each hook that looks at it, and one that puts back what was taken out. */
import { type Docket, milder } from "./docket.ts";
import { editsOf } from "./examine.ts";
import type { Asking, Hook, Length, Patterns, Span } from "./hook.ts";
import { endsInString, written } from "./json-place.ts";
import { findIn, readingOf, staysJson } from "./json-text.ts";
import { openPlaceholder, type Placeholders, placeholdersIn } from "./placeholders.ts";
import type { Part, Sieve, Sifted } from "./window.ts";

/** Words before a number that say what it is, and what must not stand before one. */
const CONTEXT_CHARS = 128;
/** What is longer than the longest private key is given in parts. */
const MOST_HELD = 20_000;

export function sieveOf(hook: Hook, docket: Docket): Sieve {
  switch (hook.looks.kind) {
    case "patterns":
      return patternSieve(hook, hook.looks, docket);
    case "length":
      return lengthSieve(hook, hook.looks, docket);
    case "asking":
      return askingSieve(hook, hook.looks, docket);
  }
}

function patternSieve(hook: Hook, looks: Patterns, docket: Docket): Sieve {
  return {
    contextChars: CONTEXT_CHARS,
    keepsSeals: false,
    looksAt: hook.looksAt,
    heldFrom(text, kind) {
      const reading = readingOf(kind, text);
      const from = reading.placeOf(looks.heldFrom(reading.text));
      return text.length - from > MOST_HELD ? text.length : from;
    },
    sift: (part) => {
      const spans = findIn(looks, part.kind, part.text);
      const upTo = endOf(part, spans);
      return { upTo, edits: editsIn(hook, { ...part, upTo }, spans, docket) };
    },
  };
}

/** What ends later than the part is judged with what follows. */
function endOf({ from, upTo, isLast, text }: Part, spans: readonly Span[]): number {
  if (isLast) return upTo;
  const across = spans.find(({ start, end }) => start < upTo && end > upTo);
  return across && text.length - across.start <= MOST_HELD ? Math.max(from, across.start) : upTo;
}

/** Of what began in a part that was given, the rest is taken out. */
function editsIn(hook: Hook, part: Part, spans: readonly Span[], docket: Docket) {
  const { kind, text, from, upTo, inString } = part;
  const own = spans.flatMap(({ start, end, category }) =>
    start === end || (end > from && start < upTo)
      ? [{ start: Math.max(start, from) - from, end: Math.min(end, upTo) - from, category }]
      : [],
  );
  if (own.length === 0) return [];
  const edits = editsOf(hook, { kind, text: text.slice(from, upTo) }, own, "stream", docket, true, inString);
  return edits.map(({ start, end, instead }) => ({ start: start + from, end: end + from, instead }));
}

function lengthSieve(hook: Hook, { maxChars }: Length, docket: Docket): Sieve {
  let left = maxChars;
  let isTold = false;
  return {
    contextChars: 0,
    keepsSeals: true,
    looksAt: hook.looksAt,
    heldFrom: (text) => text.length,
    sift: ({ from, upTo }) => {
      left -= upTo - from;
      if (left < 0 && !isTold) docket.found(hook, "stream", "max_length", hook.action);
      isTold ||= left < 0;
      return { upTo, edits: [] };
    },
  };
}

function askingSieve(hook: Hook, looks: Asking, docket: Docket): Sieve {
  return {
    contextChars: 0,
    keepsSeals: false,
    looksAt: hook.looksAt,
    heldFrom: (text) => (text.length >= looks.windowChars ? text.length : 0),
    async sift(part): Promise<Sifted> {
      const { text, upTo } = part;
      const verdict = await docket.ask(hook, looks, "stream", [text.slice(0, upTo)]);
      const action = milder(hook.action, verdict?.action);
      return { upTo, edits: editsIn({ ...hook, action }, part, verdict?.said ?? [], docket) };
    },
  };
}

export function restoringSieve(placeholders: Placeholders): Sieve {
  return {
    contextChars: 0,
    keepsSeals: true,
    looksAt: () => true,
    heldFrom: openPlaceholder,
    sift: ({ kind, text, upTo, inString }) => ({
      upTo,
      edits: restored(text.slice(0, upTo), staysJson(kind), placeholders, inString),
    }),
  };
}

/** @param inString of JSON, whether the text begins inside a string */
export function restored(text: string, isJson: boolean, placeholders: Placeholders, inString = false) {
  return placeholdersIn(text).flatMap(({ start, end }) => {
    const original = placeholders.original(text.slice(start, end));
    if (original === undefined) return [];
    const instead = isJson ? written(original, endsInString(text.slice(0, start), inString)) : original;
    return [{ start, end, instead }];
  });
}
