/**
 * Whether more attempts than usual have no known price, or have tokens that nobody but the gateway counted, over the 24
 * hours up to the end of an hour.
 */
import type { Finding, Rule } from "./finding.ts";
import { DAY, KEPT_HOURS, type Series, WEEK } from "./history.ts";
import { deviation, quantile } from "./robust.ts";

/** Fewer attempts have no share. */
const ENOUGH_ATTEMPTS = 50;
const ENOUGH_DAYS = 7;
/** By which it has to be more, whatever it was. */
const MORE = 0.03;
const DEVIATIONS = 4.5;
/** A share that grows slowly is held against the days when it was low. */
const LOW = 0.25;

const KINDS = [
  ["unpriced_share", "unpriced"],
  ["estimated_share", "estimated"],
] as const;

export function judgeDoubts(series: Series, hour: number, rule: Rule): Finding[] {
  const attempts = series.sum("attempts", hour - DAY, hour);
  if (attempts < ENOUGH_ATTEMPTS || hour - series.first < WEEK + DAY) return [];
  return KINDS.flatMap(([kind, figure]): Finding[] => {
    const share = series.sum(figure, hour - DAY, hour) / attempts;
    if (share < MORE) return [];
    const before = sharesBefore(series, figure, hour);
    if (before.length < ENOUGH_DAYS) return [];
    const expected = quantile(before, LOW);
    const chance = Math.sqrt((expected * (1 - expected) + 1 / attempts) / attempts);
    const stray = DEVIATIONS * Math.max(chance, fromDayToDay(before));
    if (share < expected * rule.ratio || share - expected < Math.max(MORE, stray)) return [];
    const finding = { kind, target: series.target, hour, observed: share, expected };
    const booked = series.sum("bookedEstimated", hour - DAY, hour);
    return [{ ...finding, beyond: kind === "estimated_share" ? booked * (1 - expected / share) : undefined }];
  });
}

/** What grows slowly differs little from one day to the next, however far it comes. */
function fromDayToDay(shares: readonly number[]): number {
  return deviation(shares.slice(1).map((share, index) => share - (shares[index] ?? share))) / Math.SQRT2;
}

function sharesBefore(series: Series, figure: "unpriced" | "estimated", hour: number): number[] {
  const shares: number[] = [];
  for (let back = DAY; back <= KEPT_HOURS - DAY; back += DAY) {
    const end = hour - back;
    if (end - DAY < series.first - 1) break;
    const attempts = series.sum("attempts", end - DAY, end);
    if (attempts > 0) shares.push(series.sum(figure, end - DAY, end) / attempts);
  }
  return shares;
}
