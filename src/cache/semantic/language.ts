/** Which language a text is in, as far as its script and its commonest words tell. */
import { ENGLISH } from "./english.ts";
import { type Lexicon, lexiconOf } from "./lexicon.ts";
import { FRENCH, GERMAN, SPANISH } from "./others.ts";

export interface Language {
  /** Such as `en`, or the name of a script; empty when nothing tells. */
  readonly name: string;
  readonly lexicon: Lexicon;
}

const LEXICONS: Readonly<Record<string, Lexicon>> = { en: ENGLISH, de: GERMAN, fr: FRENCH, es: SPANISH };

/** Nothing comes and goes there but marks; each word must be equal. */
const NONE = lexiconOf({ telltale: "", light: "", roles: {}, numbers: "" });

const SCRIPTS = [
  "Han",
  "Hiragana",
  "Katakana",
  "Hangul",
  "Cyrillic",
  "Greek",
  "Arabic",
  "Hebrew",
  "Thai",
  "Devanagari",
];
const OF_SCRIPT = SCRIPTS.map((name) => [name, new RegExp(`\\p{Script=${name}}`, "gu")] as const);

export function languageOf(text: string): Language {
  const letters = text.match(/\p{L}/gu)?.length ?? 0;
  const scripts = OF_SCRIPT.flatMap(([name, pattern]) => {
    const found = text.match(pattern)?.length ?? 0;
    return found > letters / 4 ? [name] : [];
  });
  if (scripts.length > 0) return { name: scripts.join("+"), lexicon: NONE };
  const words = text.toLowerCase().match(/[\p{L}']+/gu) ?? [];
  let best = "";
  let most = 0;
  for (const [name, { telltale }] of Object.entries(LEXICONS)) {
    const found = words.filter((word) => telltale.has(word)).length;
    if (found > most) [best, most] = [name, found];
  }
  return { name: best, lexicon: LEXICONS[best] ?? ENGLISH };
}
