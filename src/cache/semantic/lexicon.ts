/**
 * What words do in a sentence, as tables: those that may come and go, those that mean the same, and those that turn what
 * is said. A word that stands in no table means itself.
 */

/** What a word decides; two texts agree in each by itself. */
export type Role =
  | "negation"
  | "quantifier"
  | "opposite"
  | "time"
  | "question"
  | "tense"
  | "modal"
  | "owner"
  | "person"
  /** Any other that carries meaning. */
  | "word";

/** What a word stands for: its role, and one name for all words that mean the same. Undefined for one without meaning. */
export interface Sense {
  readonly role: Role;
  readonly name: string;
}

export interface Lexicon {
  /** Tells the language: words that are in nearly every sentence of it. */
  readonly telltale: ReadonlySet<string>;
  /** Replaced before words are looked up, in this order. */
  readonly phrases: readonly (readonly [RegExp, string])[];
  /** `undefined` for words that may come and go. */
  readonly senses: ReadonlyMap<string, Sense | undefined>;
  readonly numbers: ReadonlyMap<string, number>;
  /** What is said with one may be said with another of them, or before what it belongs to. */
  readonly loose: ReadonlySet<string>;
  /** Those that say what is done to what. */
  readonly binding: ReadonlySet<string>;
  /** The form under which other words are compared. */
  stem(word: string): string;
}

/** Lines of words that mean the same, each under its first word. */
export interface Tables {
  readonly telltale: string;
  readonly phrases?: readonly (readonly [RegExp, string])[];
  /** May come and go. */
  readonly light: string;
  readonly roles: Partial<Readonly<Record<Role, string>>>;
  /** From 0 up. */
  readonly numbers: string;
  /** Numbers that do not follow each other. */
  readonly loose?: string;
  readonly binding?: string;
  readonly moreNumbers?: Readonly<Record<string, number>>;
  readonly stem?: (word: string) => string;
}

export function lexiconOf(tables: Tables): Lexicon {
  const { telltale, phrases = [], light, roles, numbers, moreNumbers = {} } = tables;
  const { loose = "", binding = "", stem = (word) => word } = tables;
  const senses = new Map<string, Sense | undefined>();
  const put = (word: string, sense: Sense | undefined) => {
    // By its stem too, so that all forms of it are found; what is told apart by its form is in the tables as it is.
    if (!senses.has(stem(word))) senses.set(stem(word), sense);
    senses.set(word, sense);
  };
  for (const word of wordsIn(light)) put(word, undefined);
  for (const [role, lines] of Object.entries(roles) as [Role, string][]) {
    for (const line of lines.trim().split("\n")) {
      const [name = "", ...others] = wordsIn(line);
      for (const word of [name, ...others]) put(word, { role, name });
    }
  }
  return {
    telltale: new Set(wordsIn(telltale)),
    phrases,
    senses,
    numbers: new Map([
      ...wordsIn(numbers).map((word, value) => [word, value] as const),
      ...Object.entries(moreNumbers),
    ]),
    loose: new Set(wordsIn(loose)),
    binding: new Set(wordsIn(binding)),
    stem,
  };
}

function wordsIn(text: string): string[] {
  return text.split(/\s+/).filter(Boolean);
}
