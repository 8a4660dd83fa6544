/** Has one hook look at whole texts, and gives them back as it leaves them. */
import { type Docket, milder } from "./docket.ts";
import type { Hook, Span, Stage, TextKind } from "./hook.ts";
import { endsInString, written } from "./json-place.ts";
import { findIn, isJson, readJson, staysJson } from "./json-text.ts";

export interface Text {
  readonly kind: TextKind;
  readonly text: string;
}

/** What takes the place of a part of a text. */
export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly instead: string;
}

/**
 * @returns for each text what is to be changed in it, in order
 * @throws Failure of a hook that refuses, or fails
 */
export async function examine(
  hook: Hook,
  texts: readonly Text[],
  stage: Stage,
  docket: Docket,
  canRedact = true,
): Promise<readonly (readonly Edit[])[]> {
  const { looks } = hook;
  const seen = texts.map(({ kind }) => hook.looksAt(kind));
  switch (looks.kind) {
    case "patterns":
      return texts.map((text, index) =>
        seen[index] ? editsOf(hook, text, findIn(looks, text.kind, text.text), stage, docket, canRedact) : [],
      );
    case "length": {
      const chars = texts.reduce((sum, { text }, index) => sum + (seen[index] ? text.length : 0), 0);
      if (chars > looks.maxChars) docket.found(hook, stage, "max_length", hook.action);
      return texts.map(() => []);
    }
    case "asking": {
      const shown = texts.flatMap(({ text }, index) => (seen[index] && text !== "" ? [index] : []));
      if (shown.length === 0) return texts.map(() => []);
      const verdict = await docket.ask(
        hook,
        looks,
        stage,
        shown.map((index) => texts[index]?.text ?? ""),
      );
      const action = milder(hook.action, verdict?.action);
      const edits = texts.map((): readonly Edit[] => []);
      for (const [place, index] of shown.entries()) {
        const spans = verdict?.said.filter(({ text }) => text === place) ?? [];
        const text = texts[index];
        if (text) edits[index] = editsOf({ ...hook, action }, text, spans, stage, docket, canRedact);
      }
      return edits;
    }
  }
}

/**
 * What follows from what a hook found in a text.
 *
 * @param begins of JSON, whether the text begins inside a string
 */
export function editsOf(
  hook: Hook,
  { kind, text }: Text,
  spans: readonly Span[],
  stage: Stage,
  docket: Docket,
  canRedact: boolean,
  begins = false,
): Edit[] {
  const action = hook.action === "redact" && !canRedact ? "flag" : hook.action;
  const edits: Edit[] = [];
  let [read, inString] = [0, begins];
  for (const { start, end, category } of spans) {
    docket.found(hook, stage, category, action);
    if (action !== "redact" || end <= start) continue;
    const found = text.slice(start, end);
    const value = isJson(kind, text) ? readJson(found).text : found;
    const placeholder = docket.instead(hook, stage, category, value);
    if (staysJson(kind)) {
      inString = endsInString(text.slice(read, start), inString);
      read = start;
    }
    edits.push({ start, end, instead: staysJson(kind) ? written(placeholder, inString) : placeholder });
  }
  return edits;
}

export function edited(text: string, edits: readonly Edit[]): string {
  if (edits.length === 0) return text;
  let rest = 0;
  let out = "";
  for (const { start, end, instead } of edits) {
    out += text.slice(rest, start) + instead;
    rest = end;
  }
  return out + text.slice(rest);
}
