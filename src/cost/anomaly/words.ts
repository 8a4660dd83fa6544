/** Findings in words, for people who have not read the rules. It knows no message and no time. */
import { nameOf } from "../../core/target.ts";
import type { Finding, Kind } from "./finding.ts";

const WORDS: Readonly<Record<Kind, (who: string, finding: Finding) => string>> = {
  spend: (who, { observed, expected }) =>
    `${who} cost ${dollars(observed)} in an hour that usually costs ${dollars(expected)}${times(observed, expected)}`,
  new_model: (who, { observed }) =>
    `${who} was not called in the five weeks before, and takes ${percent(observed)} of a day's spend`,
  model_share: (who, { observed, expected }) =>
    `${who} takes ${percent(observed)} of a day's spend, and never took more than ${percent(expected)}`,
  unpriced_share: (who, { observed, expected }) =>
    `${percent(observed)} of a day's attempts${of(who)} have no known price, usually ${percent(expected)}: their cost is in no sum; look at the price catalog`,
  estimated_share: (who, { observed, expected }) =>
    `${percent(observed)} of a day's attempts${of(who)} have tokens that the gateway counted, usually ${percent(expected)}: the provider has ceased to tell, or callers leave early`,
};

const ALL = "everything together";

export function wordsOf(finding: Finding): string {
  return WORDS[finding.kind](finding.target ? nameOf(finding.target) : ALL, finding);
}

function of(who: string): string {
  return who === ALL ? "" : ` at ${who}`;
}

function dollars(picoUsd: number): string {
  const usd = picoUsd / 1e12;
  return `$${usd >= 1 ? usd.toFixed(2) : Number(usd.toPrecision(3))}`;
}

function percent(share: number): string {
  return `${Number((share * 100).toPrecision(2))} %`;
}

function times(observed: number, expected: number): string {
  return expected > 0 ? `, ${Number((observed / expected).toPrecision(2))} times as much` : "";
}
