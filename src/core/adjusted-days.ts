/** Adjusted hours as people read them: by the day and the model. It knows neither who pays nor who books. */
import type { AdjustedRow, Adjustment } from "./adjustment-store.ts";

export interface AdjustedDay
  extends Pick<Adjustment, "day" | "provider" | "model" | "priceVersionFrom" | "picoUsd"> {
  readonly rows: readonly AdjustedRow[];
}

/** By day, provider, model and the prices they were booked at. */
export function adjustedDays(rows: readonly AdjustedRow[]): AdjustedDay[] {
  const keyOf = ({ hourMs, provider, model, priceVersionFrom }: AdjustedRow) =>
    JSON.stringify([dayOf(hourMs), provider, model, priceVersionFrom]);
  return [...Map.groupBy(rows, keyOf)]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, own]) => {
      const [day, provider, model, priceVersionFrom] = JSON.parse(key);
      const picoUsd = own.reduce((sum, row) => sum + row.picoUsd, 0n);
      return { day, provider, model, priceVersionFrom, picoUsd, rows: own };
    });
}

export function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, "2026-08-01".length);
}
