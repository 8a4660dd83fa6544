/**
 * Whether two texts may say the same, by what they say for certain. It is strict: what it cannot tell is a
 * disagreement, since a wrong answer costs more than one that is paid for twice.
 */
import type { Facts } from "./facts.ts";
import type { Role } from "./lexicon.ts";

/** In what they disagree; undefined when in nothing. */
export function disagreement(a: Facts, b: Facts): string | undefined {
  return RULES.find(([, agree]) => !agree(a, b))?.[0];
}

type Rule = (a: Facts, b: Facts) => boolean;

const RULES: readonly (readonly [string, Rule])[] = [
  ["language", (a, b) => a.language === b.language || a.language === "" || b.language === ""],
  ["code", (a, b) => equal(a.code, b.code)],
  ["symbols", (a, b) => equal(a.symbols, b.symbols)],
  ["quotation", (a, b) => equal(a.quoted, b.quoted)],
  ["numbers", (a, b) => equal(a.numbers, b.numbers)],
  ["negation", hasAsOften("negation")],
  ["quantifier", hasAsOften("quantifier")],
  ["opposite", has("opposite")],
  ["time", has("time")],
  ["question", has("question")],
  ["tense", meets("tense")],
  ["modality", has("modal")],
  ["owner", meets("owner")],
  ["person", meets("person")],
  ["person", (a, b) => sameTurns(a.roles.get("person"), b.roles.get("person"))],
  ["words", has("word")],
  ["negation", deniesTheSame],
  ["bonds", (a, b) => [...a.bonds.keys()].every((name) => aboutTheSame(name, a, b))],
  [
    "preposition",
    (a, b) => [...a.prepositions].every(([word, one]) => one === (b.prepositions.get(word) ?? one)),
  ],
  ["direction", (a, b) => inSameOrder(a, b)],
];

/** What is denied twice is said. */
function hasAsOften(role: Role): Rule {
  return (a, b) => equal(a.roles.get(role) ?? [], b.roles.get(role) ?? []);
}

function deniesTheSame(a: Facts, b: Facts): boolean {
  const denied = ({ roles, bonds }: Facts) =>
    roles.get("negation")?.flatMap((name) => bonds.get(name) ?? [""]) ?? [];
  return equal(denied(a).sort(), denied(b).sort());
}

function has(role: Role): Rule {
  return (a, b) => {
    const [one = [], other = []] = [a.roles.get(role), b.roles.get(role)];
    return one.every((name) => other.includes(name)) && other.every((name) => one.includes(name));
  };
}

/** Where both say something of it, they say something in common. */
function meets(role: Role): Rule {
  return (a, b) => common(a.roles.get(role) ?? [], b.roles.get(role));
}

/** Denied, counted or compared: the same word, or one that moved. */
function aboutTheSame(name: string, a: Facts, b: Facts): boolean {
  const [one, other] = [a.bonds.get(name) ?? [], b.bonds.get(name) ?? []];
  const loose = (word: string) =>
    [a.prepositions.get(word), b.prepositions.get(word)].sort().join() === "loose,";
  return other.length === 0 || common(one, other) || [...one, ...other].some(loose);
}

function common(one: readonly string[], other: readonly string[] | undefined): boolean {
  return one.length === 0 || !other || one.some((name) => other.includes(name));
}

function equal(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((one, at) => one === b[at]);
}

/** Where both speak of several persons, in the same order. */
function sameTurns(a: readonly string[] = [], b: readonly string[] = []): boolean {
  return new Set(a).size < 2 || new Set(b).size < 2 || equal([...new Set(a)], [...new Set(b)]);
}

/**
 * Whether what stands in another order only moved: what a loose preposition binds may stand before it without one, as
 * in "the capital of France" and "France's capital".
 */
function inSameOrder(a: Facts, b: Facts): boolean {
  const order = [...new Set(a.order)];
  const places = new Map([...new Set(b.order)].map((word, place) => [word, place]));
  const place = (word: string) => places.get(word) ?? 0;
  return order.every((second, at) =>
    order.slice(0, at).every((first) => place(first) < place(second) || moved(first, second, a, b)),
  );
}

/** @param first before `second` in `a`, and behind it in `b` */
function moved(first: string, second: string, a: Facts, b: Facts): boolean {
  const [inA, inB] = [a.prepositions.get(second), b.prepositions.get(first)];
  return (inA === "loose" && inB === undefined) || (inB === "loose" && inA === undefined);
}
