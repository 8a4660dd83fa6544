/**
 * Where the next page of a list begins, as a text that callers hand back and cannot read. It knows no list and no
 * database.
 */
import { invalidRequest } from "../core/failure.ts";
import type { Page } from "../core/job-store.ts";

/** Which list it is. */
export type Listing = "jobs" | "outcomes" | "webhooks" | "attempts" | "requests" | "adjustments";
/** By what the last row that was seen is sorted: a time or a place in line first, then what tells equals apart. */
export type Position = readonly [number, string];

/** Rows as an engine has them: with the position at which to go on. */
export interface Rows<T> {
  readonly rows: readonly T[];
  readonly next: Position | undefined;
}

/** @throws Failure when it is not a token of such a list */
export function positionOf(listing: Listing, token: string | undefined): Position | undefined {
  if (token === undefined) return undefined;
  const [name, place, id, ...rest] = partsOf(token);
  const right =
    name === listing && Number.isSafeInteger(place) && typeof id === "string" && rest.length === 0;
  // Texts that differ decode alike where base64 is concerned.
  if (!right || tokenOf(listing, [Number(place), id]) !== token) throw wrongToken();
  return [Number(place), id];
}

export function pageOf<T>(listing: Listing, { rows, next }: Rows<T>): Page<T> {
  return { rows, next: next && tokenOf(listing, next) };
}

/** A page has no more once it holds so much, though it were to be longer. */
export const PAGE_BYTES = 8 * 1024 * 1024;

/** What comes before a page is full; `more` where that ended it, and otherwise undefined. */
export function pageful<T>(
  rows: Iterable<T>,
  bytesOf: (row: T) => number,
): { readonly rows: readonly T[]; readonly more: true | undefined } {
  const page: T[] = [];
  let bytes = 0;
  for (const row of rows) {
    if (bytes >= PAGE_BYTES) return { rows: page, more: true };
    page.push(row);
    bytes += bytesOf(row);
  }
  return { rows: page, more: undefined };
}

/**
 * Of up to one row more than the page holds, which tells whether there is another page.
 *
 * @param more whether there is, where fewer rows do not say so
 */
export function cut<T>(
  rows: readonly T[],
  size: number,
  positionOfRow: (row: T) => Position,
  more = rows.length > size,
): Rows<T> {
  const shown = rows.slice(0, size);
  const last = shown.at(-1);
  return { rows: shown, next: last && more ? positionOfRow(last) : undefined };
}

function tokenOf(listing: Listing, position: Position): string {
  return Buffer.from(JSON.stringify([listing, ...position])).toString("base64url");
}

function partsOf(token: string): unknown[] {
  try {
    const parts: unknown = JSON.parse(Buffer.from(token, "base64url").toString());
    return Array.isArray(parts) ? parts : [];
  } catch {
    return [];
  }
}

function wrongToken() {
  return invalidRequest([
    {
      field: "page_token",
      description: "is none that this list gave; leave it out to begin at the first page",
    },
  ]);
}
