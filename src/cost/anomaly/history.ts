/**
 * What closed hours came to, by model and in total, as far back as baselines look: a ring of hours for each, so that
 * memory is bounded by the models that are kept. It judges nothing.
 */
import type { Target } from "../../core/call.ts";
import { nameOf } from "../../core/target.ts";

export const DAY = 24;
export const WEEK = 7 * DAY;
/** Five weeks, and the day that is judged. */
export const KEPT_HOURS = 5 * WEEK + DAY;
/** Callers can make up names without end: further ones count in the total alone. */
export const MAX_MODELS = 200;

/** Of one hour. Dollars are pico-dollars, as doubles, since they are only compared. */
export interface Figures {
  /** What the tokens cost by the prices of now. */
  readonly worth: number;
  /** What was booked for them. */
  readonly booked: number;
  /** Of what was booked, that of estimated attempts. */
  readonly bookedEstimated: number;
  readonly attempts: number;
  readonly unpriced: number;
  readonly estimated: number;
}

export type Figure = keyof Figures;

const FIGURES: readonly Figure[] = [
  "worth",
  "booked",
  "bookedEstimated",
  "attempts",
  "unpriced",
  "estimated",
];

/** Hours are counted from 1970. */
export class Series {
  /** Undefined for all together. */
  readonly target: Target | undefined;
  /** The first hour that is known of it, within what is kept. */
  first: number;
  last: number;
  private readonly figures: Readonly<Record<Figure, Float64Array>>;

  constructor(target: Target | undefined, first: number) {
    this.target = target;
    this.first = first;
    this.last = first;
    const rings = FIGURES.map((name) => [name, new Float64Array(KEPT_HOURS)]);
    this.figures = Object.fromEntries(rings);
  }

  at(figure: Figure, hour: number): number {
    return this.figures[figure][hour % KEPT_HOURS] ?? 0;
  }

  /** Over the hours after `from`, `to` included. */
  sum(figure: Figure, from: number, to: number): number {
    let sum = 0;
    for (let hour = from + 1; hour <= to; hour++) sum += this.at(figure, hour);
    return sum;
  }

  add(hour: number, figures: Figures): void {
    this.last = Math.max(this.last, hour);
    this.first = Math.min(this.first, hour);
    for (const name of FIGURES) this.figures[name][hour % KEPT_HOURS] = this.at(name, hour) + figures[name];
  }

  clear(hour: number): void {
    for (const name of FIGURES) this.figures[name][hour % KEPT_HOURS] = 0;
  }
}

export interface ModelHour extends Figures {
  readonly hour: number;
  readonly target: Target;
}

export class History {
  /** Of all models together; undefined before the first hour with anything in it. */
  total: Series | undefined;
  private readonly series = new Map<string, Series>();
  private end = Number.NEGATIVE_INFINITY;

  get models(): Iterable<Series> {
    return this.series.values();
  }

  /** Puts these hours, `to` included, in place of what was known of them; later ones than before, or some of the last. */
  replace(from: number, to: number, rows: readonly ModelHour[]): void {
    for (let hour = from; hour <= to; hour++) this.clear(hour);
    this.end = Math.max(this.end, to);
    for (const row of rows) {
      this.total ??= new Series(undefined, row.hour);
      this.total.add(row.hour, row);
      this.of(row.target, row.hour)?.add(row.hour, row);
    }
    this.forget();
  }

  private of(target: Target, hour: number): Series | undefined {
    const name = nameOf(target);
    const known = this.series.get(name);
    if (known || this.series.size === MAX_MODELS) return known;
    const series = new Series(target, hour);
    this.series.set(name, series);
    return series;
  }

  private clear(hour: number): void {
    this.total?.clear(hour);
    for (const series of this.series.values()) series.clear(hour);
  }

  private forget(): void {
    const begin = this.end - KEPT_HOURS + 1;
    if (this.total) this.total.first = Math.max(this.total.first, begin);
    for (const [name, series] of this.series) {
      if (series.last < begin) this.series.delete(name);
      else series.first = Math.max(series.first, begin);
    }
  }
}
