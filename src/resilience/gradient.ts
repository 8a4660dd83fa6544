/**
 * A limit that follows from how long calls take: while they take as long as ever it grows, and when they take longer,
 * as they do behind a queue, it shrinks. It is told times, and limits nobody itself.
 */

export const LEAST_LIMIT = 4;
/** It is judged by so many calls at a time at least, since single ones differ in length by much more than queues do. */
const LEAST_CALLS = 30;
/** Of how much longer they took, what is usual from then on: where they took less, and where they took more. */
const FASTER = 0.2;
const SLOWER = 0.002;
/** Only times above the usual by as much are a sign of a queue. */
const TOLERANCE = 1.5;
const MOST_SHRINKING = 0.5;
/** What is left of the limit after the other side says that it is too much. */
const BACK_OFF = 0.9;
/** Those that came first are forgotten. */
const MAX_KINDS = 1_000;

/** Calls that are alike: one model's streams, or its whole answers. Times as logarithms, so that they may be averaged. */
interface Kind {
  /** How many there were before; what is usual is known after a few. */
  known: number;
  usual: number;
  /** Of those that are judged next. */
  calls: number;
  sum: number;
}

export class Gradient {
  private readonly kinds = new Map<string, Kind>();
  private limit_: number;
  private calls = 0;
  private mostUnderWay = 0;

  constructor(start: number) {
    this.limit_ = start;
  }

  /** @param most bounds it from above */
  limit(most: number): number {
    return Math.floor(Math.max(LEAST_LIMIT, Math.min(this.limit_, most)));
  }

  /**
   * A call got its first word after so long.
   *
   * @param name of which calls it is one that take about as long
   * @param underWay how many there were when it was sent
   */
  took(name: string, ms: number, underWay: number, most: number): void {
    const kind = this.kind(name);
    kind.calls++;
    kind.sum += Math.log(Math.max(ms, 1));
    this.calls++;
    this.mostUnderWay = Math.max(this.mostUnderWay, underWay);
    const now = Math.min(this.limit_, most);
    // Those of a whole round, so that what was changed before shows in them.
    if (this.calls < Math.max(LEAST_CALLS, now)) return;
    const longer = this.judged(now < LEAST_LIMIT + 1);
    // A limit that nobody comes near is not known to be too low.
    const isNear = this.mostUnderWay >= now / 2;
    this.mostUnderWay = 0;
    if (!isNear) return;
    const gradient = Math.max(MOST_SHRINKING, Math.min(1, TOLERANCE / longer));
    this.limit_ = this.bounded(now * gradient + Math.sqrt(now), most);
  }

  /** The other side said that it was too much. */
  refused(most: number): void {
    this.limit_ = this.bounded(Math.min(this.limit_, most) * BACK_OFF, most);
  }

  /**
   * How many times as long as usual the latest calls took, each beside those of its kind.
   *
   * @param least whether the limit is the least: then they wait for no others, and what they take is usual
   */
  private judged(least: boolean): number {
    let longer = 0;
    for (const kind of this.kinds.values()) {
      const { calls, known } = kind;
      if (calls === 0) continue;
      const mean = kind.sum / calls;
      const excess = mean - kind.usual;
      if (known < LEAST_CALLS) kind.usual += (excess * calls) / (known + calls);
      else {
        longer += excess * calls;
        kind.usual += ((excess * calls) / this.calls) * (excess < 0 ? FASTER : least ? 1 : SLOWER);
      }
      kind.known += calls;
      kind.calls = 0;
      kind.sum = 0;
    }
    const ratio = Math.exp(longer / this.calls);
    this.calls = 0;
    return ratio;
  }

  private kind(name: string): Kind {
    const known = this.kinds.get(name);
    if (known) return known;
    const [first] = this.kinds.size >= MAX_KINDS ? this.kinds.keys() : [];
    if (first !== undefined) this.kinds.delete(first);
    const kind = { known: 0, usual: 0, calls: 0, sum: 0 };
    this.kinds.set(name, kind);
    return kind;
  }

  private bounded(limit: number, most: number): number {
    return Math.max(LEAST_LIMIT, Math.min(limit, most));
  }
}
