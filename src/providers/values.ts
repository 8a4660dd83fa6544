/** Values out of a provider's JSON, which may hold anything where its types promise something. */
import { MAX_INT32 } from "../core/int32.ts";

/**
 * What is absent is empty.
 *
 * @throws TypeError for anything but text
 */
export function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  if (value === null || value === undefined) return "";
  throw new TypeError(`text is expected where ${typeof value} is`);
}

/** @throws TypeError unless it is a place in a list */
export function integer(value: unknown): number {
  if (!Number.isInteger(value) || (value as number) < 0) throw new TypeError("an index is not a number");
  return value as number;
}

/** A count of tokens; undefined for what is none. */
export function count(value: unknown): number | undefined {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MAX_INT32
    ? (value as number)
    : undefined;
}
