/** What is kept of an experiment as text, and read again. What cannot be read counts as not there. */
import type { KeptTrial } from "../core/experiment-store.ts";
import { type Figures, together } from "./figures.ts";
import type { Ruling, Trial } from "./trial.ts";

interface Own {
  readonly sinceMs: number;
  readonly figures: Readonly<Record<string, Figures>>;
}

export interface Told {
  readonly figures: ReadonlyMap<string, Figures>;
  readonly ruling: Ruling | undefined;
  readonly sinceMs: number | undefined;
}

export function ownText({ sinceMs, kept }: Trial): string {
  return JSON.stringify({ sinceMs, figures: kept } satisfies Own);
}

/** What several have kept of one experiment, as one of them. */
export function sumText(rows: readonly KeptTrial[]): string {
  const { figures, sinceMs = 0 } = told(rows);
  return JSON.stringify({ sinceMs, figures: Object.fromEntries(figures) } satisfies Own);
}

export function rulingText(ruling: Ruling): string {
  return JSON.stringify(ruling);
}

/** What others have kept of the same experiment. */
export function told(rows: readonly KeptTrial[]): Told {
  let ruling: Ruling | undefined;
  const all: Own[] = [];
  for (const { instance, body } of rows) {
    const said = read(body);
    if (isRuling(said) && instance === "") ruling = said;
    else if (isOwn(said)) all.push(said);
  }
  const names = new Set(all.flatMap(({ figures }) => Object.keys(figures)));
  return {
    figures: new Map(
      [...names].map((name) => [name, together(all.flatMap(({ figures }) => figures[name] ?? []))]),
    ),
    ruling,
    sinceMs: all.length > 0 ? Math.min(...all.map(({ sinceMs }) => sinceMs)) : undefined,
  };
}

function read(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

function isRuling(said: unknown): said is Ruling {
  return typeof said === "object" && said !== null && "kind" in said && "harmful" in said;
}

function isOwn(said: unknown): said is Own {
  return typeof said === "object" && said !== null && "figures" in said && "sinceMs" in said;
}
