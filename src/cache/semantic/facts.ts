/**
 * What a text says for certain: its numbers, names, negations and so on, each in one form for all ways to write it.
 * Embeddings are near each other where these differ, so they are compared by themselves.
 */
import { languageOf } from "./language.ts";
import type { Lexicon, Role, Sense } from "./lexicon.ts";
import { withNumbers } from "./numbers.ts";

export interface Facts {
  readonly language: string;
  /** Blocks of code and what stands between back quotes, as they are. */
  readonly code: readonly string[];
  readonly quoted: readonly string[];
  /** Operators and the like, in their order. */
  readonly symbols: readonly string[];
  /** With their units, in their order; times too. */
  readonly numbers: readonly string[];
  /** Names for what the words decide: sorted, but for persons. */
  readonly roles: ReadonlyMap<Role, readonly string[]>;
  /** The words that carry meaning, in their order. */
  readonly order: readonly string[];
  /** By word, the preposition before it; `loose` for those of which one is as good as another. */
  readonly prepositions: ReadonlyMap<string, string>;
  /** By what denies, counts, compares or dates: the words behind it. */
  readonly bonds: ReadonlyMap<string, readonly string[]>;
}

export function factsOf(text: string): Facts {
  const code: string[] = [];
  const quoted: string[] = [];
  const symbols: string[] = [];
  const taken = (into: string[], change = (found: string) => found) => {
    return (found: string) => {
      into.push(change(found));
      return " ";
    };
  };
  const prose = text
    .normalize("NFC")
    .replace(/[‘’ʼ]/g, "'")
    .replace(/```[\s\S]*?(?:```|$)/g, taken(code))
    .replace(/`[^`\n]+`/g, taken(code))
    .replace(QUOTED, taken(quoted, unquoted));
  const { name: language, lexicon } = languageOf(prose.replace(MARK, " "));
  const marked = prose
    .replaceAll("~", " ")
    .replace(MARK, (found) => ` ~${asOneWord(found)} `)
    .replace(SYMBOL, taken(symbols));
  return { language, code, quoted, symbols, ...read(tokensOf(marked, lexicon), lexicon) };
}

/** The words of a text that carry meaning, in one form for all that mean the same. */
export function wordsOf(text: string): string[] {
  const { order, quoted, code, numbers } = factsOf(text);
  return [...order, ...quoted, ...code, ...numbers];
}

const QUOTED = /"[^"]+"|“[^”]+”|«[^»]+»|„[^“”]+[“”]|(?<![\p{L}\p{N}])'[^'\n]+'(?![\p{L}\p{N}])/gu;
/** URLs, addresses, paths, files, identifiers, languages such as C++, and what is another word when written small. */
const MARK =
  /https?:\/\/\S+[^\s.,;:!?)]|[\w.+-]{1,64}@[\w-]{1,64}\.[\w.]{1,64}\w|(?<![\w/])\.{0,2}\/[\w.-]+(?:\/[\w.-]*)*|(?<!\w)[A-Za-z](?:\+\+|#)|\b[A-Za-z_][\w-]{0,64}\.[A-Za-z]\w{0,9}\b|\b\w+_\w+\b|\b[a-z]+[A-Z]\w*\b|\b[A-Z][a-z]+[A-Z]\w*\b|\b[A-Za-z]+\d\w*(?:\.\d+)*\b|\b(?:US|IT|WHO)\b/g;
/**
 * Operators, and whatever else is a sign and no letter. A mark of exclamation is none by itself, but behind a number; what
 * belongs to a number beside it is read with that.
 */
const SYMBOL =
  /[<>=!+*/^&|\\{}[\]]*[<>=+*/^&|\\{}[\]][<>=!+*/^&|\\{}[\]]*|--+|(?<=\d)!|[^\P{S}$€£¥₹°−~]|(?<!\d\s?)[$€£¥₹](?!\s?\d)/gu;

function unquoted(found: string): string {
  return found.slice(1, -1).trim();
}

/** In letters, so that nothing below takes it apart. */
function asOneWord(mark: string): string {
  const hex = Buffer.from(mark.toLowerCase()).toString("hex");
  return hex.replace(/\d/g, (digit) => "ghijklmnop".charAt(Number(digit)));
}

function tokensOf(prose: string, lexicon: Lexicon): string[] {
  let text = prose
    // Roman numbers; one alone is one only behind a name, as in World War I.
    .replace(/\b(?:[IVX]{2,}|(?<=\p{Lu}\p{L}+ \p{Lu}\p{L}+ )[IVX])\b/gu, (roman) => ` @${roman} `)
    .toLowerCase()
    .replace(/\bwon't\b/g, "will not")
    .replace(/\bcan(?:'t|not)\b/g, "can not")
    .replace(/n't\b/g, " not")
    .replace(/\b(what|who|why|where|when|how|that|it|there|here)'s\b/g, "$1 is")
    .replace(/(?<=\p{L})'(?:s|re|m|ve|ll|d)\b/gu, " ");
  for (const [pattern, other] of lexicon.phrases) text = text.replace(pattern, other);
  return withNumbers(text, lexicon.numbers).match(/[#@~]\S+|[\p{L}\p{N}\p{M}]+(?:'\p{L}+)?/gu) ?? [];
}

/** What is told by the words behind it. */
const BONDED: ReadonlySet<Role> = new Set<Role>(["negation", "quantifier", "opposite", "time"]);

function read(tokens: readonly string[], lexicon: Lexicon) {
  const roles = new Map<Role, string[]>();
  const order: string[] = [];
  const numbers: string[] = [];
  const prepositions = new Map<string, string>();
  const bonds = new Map<string, string[]>();
  let preposition = "";
  /** Waits for the word that it is about. */
  let waiting: string[] = [];
  for (const token of tokens) {
    if (lexicon.loose.has(token)) preposition = "loose";
    else if (lexicon.binding.has(token)) preposition = token === "into" ? "to" : token;
    if (/^[#@]/.test(token)) {
      numbers.push(token);
      waiting.push(token);
      continue;
    }
    const sense = senseOf(token, lexicon);
    if (!sense) continue;
    const { role, name } = sense;
    add(roles, role, name);
    if (role === "word") {
      order.push(name);
      if (preposition) prepositions.set(name, preposition);
      for (const one of waiting) add(bonds, one, name);
      preposition = "";
      waiting = [];
    } else if (BONDED.has(role)) waiting.push(name);
  }
  for (const [role, names] of roles) if (role !== "person") names.sort();
  return { roles, order, numbers, prepositions, bonds };
}

function add<K>(map: Map<K, string[]>, key: K, name: string): void {
  const known = map.get(key);
  if (known) known.push(name);
  else map.set(key, [name]);
}

function senseOf(token: string, { senses, stem }: Lexicon): Sense | undefined {
  if (senses.has(token)) return senses.get(token);
  const stemmed = stem(token);
  return senses.has(stemmed) ? senses.get(stemmed) : { role: "word", name: stemmed };
}
