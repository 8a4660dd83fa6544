/** Whether an hour cost more than it usually does. */
import type { Baseline } from "./baseline.ts";
import type { Finding, Rule } from "./finding.ts";
import type { Series } from "./history.ts";

/**
 * What is compared is the worth by the prices of now, so that what prices explain is no part of it; what is told is
 * dollars as they were booked.
 */
export function judgeSpend(
  series: Series,
  hour: number,
  baseline: Baseline | undefined,
  { ratio, minUsd }: Rule,
): Finding | undefined {
  if (!baseline) return undefined;
  const worth = series.at("worth", hour);
  const usual = baseline.worth * Math.max(ratio, baseline.stray);
  if (worth <= usual || worth <= baseline.around * baseline.stray) return undefined;
  const observed = series.at("booked", hour);
  const expected = expectedOf(series, hour, baseline);
  const beyond = observed - expected;
  if (beyond < minUsd * 1e12) return undefined;
  return { kind: "spend", target: series.target, hour, observed, expected, beyond };
}

/** In pico-dollars by the prices at which the hour was booked. */
export function expectedOf(series: Series, hour: number, { worth: usual }: Baseline): number {
  const worth = series.at("worth", hour);
  return worth === 0 ? usual : (usual * series.at("booked", hour)) / worth;
}
