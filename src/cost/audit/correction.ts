/**
 * By how much each hour of calls costs another sum at other prices, and what of that is not booked yet. It is as fine as
 * the ledger's sums, so that every report adds up. It keeps nothing.
 */
import type { AdjustedKey, AdjustedRow } from "../../core/adjustment-store.ts";
import { hourOf } from "../../core/hours.ts";
import type { BookedAttempt } from "../../core/usage-store.ts";
import { type Prices, repriced } from "./reprice.ts";

export class Correction {
  private readonly prices: Prices;
  private readonly wanted = new Map<string, { readonly key: AdjustedKey; picoUsd: bigint }>();
  private readonly seen = new Map<number, number>();
  unknownUsage = 0;
  unknownModel = 0;

  constructor(prices: Prices) {
    this.prices = prices;
  }

  /** How many keys there are. */
  get size(): number {
    return this.wanted.size;
  }

  add(booked: BookedAttempt): void {
    const { startedAtMs, tenant, principal, tags, operation, route, attempt } = booked;
    const hourMs = hourOf(startedAtMs);
    this.seen.set(hourMs, this.seenOf(hourMs) + 1);
    const result = repriced(booked, this.prices);
    if (result.cost === undefined) {
      this[result.why === "unknown_usage" ? "unknownUsage" : "unknownModel"]++;
      return;
    }
    const { provider, model, priceVersion: priceVersionFrom } = attempt;
    const key = { hourMs, tenant, principal, tags, provider, model, operation, route, priceVersionFrom };
    const name = nameOf(key);
    const known = this.wanted.get(name) ?? { key, picoUsd: 0n };
    known.picoUsd += result.cost - (attempt.actualPicoUsd ?? 0n);
    this.wanted.set(name, known);
  }

  /** How many attempts of an hour were added. */
  seenOf(hourMs: number): number {
    return this.seen.get(hourMs) ?? 0;
  }

  /**
   * What is to be booked so that all of it stands. What cannot be priced now is left as it stands.
   *
   * @param standing what is booked already, each key once
   * @param isWhole whether all attempts of an hour were there to be added; others are left as they stand
   */
  rest(standing: readonly AdjustedRow[], isWhole: (hourMs: number) => boolean): AdjustedRow[] {
    const booked = new Map(standing.map((row) => [nameOf(row), row.picoUsd]));
    return [...this.wanted].flatMap(([name, { key, picoUsd }]) => {
      const rest = picoUsd - (booked.get(name) ?? 0n);
      return rest === 0n || !isWhole(key.hourMs) ? [] : [{ ...key, picoUsd: rest }];
    });
  }
}

/** The same for the same key, in whatever order its tags are. */
function nameOf(key: AdjustedKey): string {
  const { hourMs, tenant, principal, provider, model, operation, route, priceVersionFrom } = key;
  const tags = Object.entries(key.tags).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([
    hourMs,
    ...[tenant, principal, provider, model, operation, route],
    priceVersionFrom,
    tags,
  ]);
}
