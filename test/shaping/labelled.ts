/** The labelled texts as a test wants them, and which of them are held out: those were not looked at while patterns were written. */
import { hash } from "node:crypto";
import { PERSONAL } from "./pii-cases.ts";
import { NEAR_MISSES } from "./pii-near-misses.ts";

export interface Labelled {
  readonly text: string;
  /** As `category:value`, in order. */
  readonly expected: readonly string[];
  readonly isHeldOut: boolean;
}

const MARK = /\{([a-z_]+):([^{}]*)\}/g;

export const LABELLED: readonly Labelled[] = [...linesOf(PERSONAL), ...linesOf(NEAR_MISSES)].map(labelled);

function linesOf(text: string): string[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => line.replaceAll("\\n", "\n"));
}

function labelled(line: string): Labelled {
  const text = line.replace(MARK, "$2");
  const expected = [...line.matchAll(MARK)].map(([, category, value]) => `${category}:${value}`);
  // Decided before the first pattern was tried.
  const isHeldOut = Number.parseInt(hash("sha256", text).slice(0, 2), 16) % 2 === 0;
  return { text, expected, isHeldOut };
}

export interface Score {
  readonly texts: number;
  readonly precision: number;
  readonly recall: number;
  /** What was found and is none, and what is one and was not found. */
  readonly wrong: readonly string[];
}

export function score(cases: readonly Labelled[], find: (text: string) => readonly string[]): Score {
  let [right, found, expected] = [0, 0, 0];
  const wrong: string[] = [];
  for (const one of cases) {
    const said = find(one.text);
    const hits = said.filter((what) => one.expected.includes(what)).length;
    right += hits;
    found += said.length;
    expected += one.expected.length;
    if (hits !== said.length || hits !== one.expected.length)
      wrong.push(`${JSON.stringify(one.text)}: found ${said.join(" ")}; expected ${one.expected.join(" ")}`);
  }
  return { texts: cases.length, precision: right / found, recall: right / expected, wrong };
}
