/**
 * What an hour usually comes to: the median of the same hour of the week, raised with what the last week was above it,
 * and how far hours usually stray from it. It knows no later hour than the one that it is asked about.
 */
import { nameOf } from "../../core/target.ts";
import { DAY, KEPT_HOURS, type Series, WEEK } from "./history.ts";
import { deviation, median, quantile } from "./robust.ts";

export interface Baseline {
  /** In pico-dollars by the prices of now. */
  readonly worth: number;
  /** Up to so many times of it is nothing out of the usual. */
  readonly stray: number;
  /** Of this hour or one beside it, the most: the clocks may have been changed. */
  readonly around: number;
}

/** So many weeks of an hour of the week are enough; before that it is held against days of its kind. */
const ENOUGH_WEEKS = 3;
/** Before that nothing is known. */
const ENOUGH_HOURS = WEEK;
const ENOUGH_VALUES = 3;
const YOUNG_DAYS = 14;
/** So many deviations, of hours that stray by factors, one of a few hundred thousand hours goes beyond. */
const STRAY_DEVIATIONS = 4.5;
const USUAL_DEVIATION = 0.2;
const ENOUGH_RATIOS = 72;
const CLASSES = 4;
/** Of the last week, so many hours make a level. */
const ENOUGH_LEVEL = 48;
/** A model that is used now and then is held against hours in which it was. */
const ENOUGH_ACTIVE = 24;
const ACTIVE_SHARE = 0.9;

/** What the hours like it came to before. */
interface Slot {
  readonly hour: number;
  /** NaN while there are too few. */
  readonly worth: number;
  /** Whether there was something in each of them. */
  readonly steady: boolean;
}

/** Made for one series; what changes slowly is worked out once a day. */
export class Baselines {
  private readonly series: Series;
  /** The hour of the day in which it is its turn. */
  private readonly turn: number;
  /** As they were worked out for each hour. */
  private readonly slots: Slot[] = [];
  private day = -1;
  private level = 1;
  private strays: Strays = () => 1;
  private active = Number.NaN;

  constructor(series: Series) {
    this.series = series;
    this.turn = turnOf(series);
  }

  /** Undefined while too little is known. */
  at(hour: number): Baseline | undefined {
    if (hour - this.series.first < ENOUGH_HOURS) return undefined;
    this.learn(hour);
    const { worth, steady } = this.slot(hour);
    const beside = [this.slot(hour - 1).worth, this.slot(hour + 1).worth].filter(Number.isFinite);
    if (steady) {
      const around = Math.max(worth, ...beside) * this.level;
      return { worth: worth * this.level, stray: this.strays(worth), around };
    }
    const active = Math.max(this.active, worth, ...beside);
    return Number.isNaN(active) ? undefined : { worth: active, stray: 1, around: active };
  }

  private slot(hour: number): Slot {
    const place = hour % KEPT_HOURS;
    const known = this.slots[place];
    if (known?.hour === hour) return known;
    const values = like(this.series, hour);
    const steady = values.length > 0 && values.every((value) => value > 0);
    const slot = { hour, worth: median(values), steady };
    this.slots[place] = slot;
    return slot;
  }

  private learn(hour: number): void {
    const day = Math.floor((hour + this.turn) / DAY);
    if (day === this.day) return;
    this.day = day;
    const { first } = this.series;
    const strayed: Strayed[] = [];
    const lately: number[] = [];
    const active: number[] = [];
    for (let past = Math.max(first, hour - KEPT_HOURS + DAY); past < hour; past++) {
      const worth = this.series.at("worth", past);
      if (worth > 0) active.push(worth);
      if (past - first < ENOUGH_HOURS) continue;
      const slot = this.slot(past).worth;
      if (!(slot > 0)) continue;
      if (worth > 0) strayed.push({ slot, by: Math.log(worth / slot) });
      if (past >= hour - WEEK) lately.push(worth / slot);
    }
    this.strays = straysOf(strayed);
    // Only upwards: what comes back after a quiet week is what it was before.
    this.level = lately.length >= ENOUGH_LEVEL ? Math.max(1, median(lately)) : 1;
    this.active = active.length >= ENOUGH_ACTIVE ? quantile(active, ACTIVE_SHARE) : Number.NaN;
  }
}

/** Not all in the same hour, and for every replica in the same. */
function turnOf({ target }: Series): number {
  let sum = 0;
  for (const letter of target ? nameOf(target) : "") sum += letter.charCodeAt(0);
  return sum % DAY;
}

interface Strayed {
  readonly slot: number;
  readonly by: number;
}

/** How far an hour strays that usually comes to so much. */
type Strays = (slot: number) => number;

/** In busy hours chance evens itself out: each is held against hours about as busy. */
function straysOf(strayed: readonly Strayed[]): Strays {
  const sorted = [...strayed].sort((a, b) => a.slot - b.slot);
  const size = Math.max(ENOUGH_RATIOS, Math.ceil(sorted.length / CLASSES));
  if (sorted.length < size) return () => Math.exp(STRAY_DEVIATIONS * USUAL_DEVIATION);
  const classes = Array.from({ length: Math.floor(sorted.length / size) }, (_, index) => {
    const part = sorted.slice(index * size, (index + 1) * size);
    const stray = Math.exp(STRAY_DEVIATIONS * deviation(part.map(({ by }) => by)));
    return { upTo: part.at(-1)?.slot ?? 0, stray };
  });
  return (slot) => (classes.find(({ upTo }) => slot <= upTo) ?? classes.at(-1))?.stray ?? 1;
}

function like(series: Series, hour: number): number[] {
  const weeks = valuesAt(series, hour, [WEEK, 2 * WEEK, 3 * WEEK, 4 * WEEK, 5 * WEEK]);
  if (weeks.length >= ENOUGH_WEEKS) return weeks;
  const days = Array.from({ length: YOUNG_DAYS }, (_, index) => (index + 1) * DAY).filter(
    (back) => isWeekend(hour - back) === isWeekend(hour),
  );
  const same = valuesAt(series, hour, days);
  if (same.length >= ENOUGH_VALUES) return same;
  const wide = [...same, ...valuesAt(series, hour - 1, days), ...valuesAt(series, hour + 1, days)];
  return wide.length >= ENOUGH_VALUES ? wide : [];
}

function valuesAt(series: Series, hour: number, backs: readonly number[]): number[] {
  return backs.filter((back) => hour - back >= series.first).map((back) => series.at("worth", hour - back));
}

/** In UTC. 1970 began on a Thursday. */
function isWeekend(hour: number): boolean {
  const day = (Math.floor(hour / DAY) + 4) % 7;
  return day === 0 || day === 6;
}
