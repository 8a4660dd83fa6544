/** Whether a model takes a part of the spend that it never took, over the 24 hours up to the end of an hour. */
import type { Finding, Rule } from "./finding.ts";
import { DAY, KEPT_HOURS, type Series, WEEK } from "./history.ts";

/** Of one that was never called before, such a part is worth a word. */
const NEW_SHARE = 0.1;
/** One that was called before takes more by so much. */
const MORE = 0.15;
const TIMES = 1.5;
/** Other models can have been quiet: its own spend is above all before as well. */
const GROWN = 1.25;

export function judgeShare(
  model: Series,
  total: Series,
  hour: number,
  { minUsd }: Rule,
): Finding | undefined {
  if (hour - total.first < WEEK + DAY) return undefined;
  const share = shareAt(model, total, hour);
  if (share < NEW_SHARE) return undefined;
  const booked = model.sum("booked", hour - DAY, hour);
  const isNew = model.first > hour - DAY;
  if (isNew) {
    if (booked < minUsd * 1e12) return undefined;
    return { kind: "new_model", target: model.target, hour, observed: share, expected: 0, beyond: booked };
  }
  const { share: seen, worth } = mostBefore(model, total, hour);
  if (share < seen + MORE || share < seen * TIMES) return undefined;
  if (model.sum("worth", hour - DAY, hour) <= worth * GROWN) return undefined;
  const beyond = booked * (1 - seen / share);
  if (beyond < minUsd * 1e12) return undefined;
  return { kind: "model_share", target: model.target, hour, observed: share, expected: seen, beyond };
}

function shareAt(model: Series, total: Series, hour: number): number {
  const whole = total.sum("worth", hour - DAY, hour);
  return whole > 0 ? model.sum("worth", hour - DAY, hour) / whole : 0;
}

/** On days that are a week old or older, so that one which grows day by day is seen; on all, while there are few. */
function mostBefore(model: Series, total: Series, hour: number): { share: number; worth: number } {
  const youngest = hour - total.first >= 2 * WEEK + DAY ? WEEK : DAY;
  let share = 0;
  let worth = 0;
  for (let back = youngest; back <= KEPT_HOURS - DAY; back += DAY) {
    const end = hour - back;
    if (end - DAY < total.first - 1) break;
    share = Math.max(share, shareAt(model, total, end));
    worth = Math.max(worth, model.sum("worth", end - DAY, end));
  }
  return { share, worth };
}
