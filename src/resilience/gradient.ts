/**
 * A limit that follows from how long calls take: while they take as long as ever it grows, and when they take longer,
 * as they do behind a queue, it shrinks. It is told times, and limits nobody itself.
 */

export const LEAST_LIMIT = 4;
/** It is judged by so many calls at a time at least, since single ones differ in length by much more than queues do. */
const LEAST_CALLS = 30;
/** What is usual of a kind is known after so many of its calls: the first that end are short ones. */
const TELLING = 60;
/** Of how much less they took, what is usual from then on. */
const FASTER = 0.1;
/** After so many rounds in which calls took too long, half the limit holds, to see what they take then. */
const LOOK_EVERY = 30;
/** Of how much longer they take, what is usual from then on if that did not help. */
const SLOWER = 0.6;
/** Calls that wait for each other take so many times as long at the whole limit; those that only are longer do not. */
const HELPED = 1.2;
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
  /** Rounds since the last look in which calls took too long. */
  private longRounds = 0;
  /** How many times as long as usual they took, while half the limit holds; undefined while all of it does. */
  private before: number | undefined;

  constructor(start: number) {
    this.limit_ = start;
  }

  /** @param most bounds it from above */
  limit(most: number): number {
    return Math.floor(Math.max(LEAST_LIMIT, this.now(most)));
  }

  /**
   * A call got its first word after so long.
   *
   * @param name of which calls it is one that take about as long
   * @param underWay how many there were when it was sent
   */
  took(name: string, ms: number, underWay: number, most: number): void {
    const now = this.now(most);
    // Those that were sent at the whole limit tell nothing of half of it.
    if (this.before !== undefined && underWay > this.limit(most)) return;
    const kind = this.kind(name);
    kind.calls++;
    kind.sum += Math.log(Math.max(ms, 1));
    this.calls++;
    this.mostUnderWay = Math.max(this.mostUnderWay, underWay);
    // Those of a whole round, so that what was changed before shows in them; of two for a look, since the first that
    // end are short ones.
    if (this.calls < Math.max(LEAST_CALLS, now) * (this.before === undefined ? 1 : 2)) return;
    if (this.before !== undefined) {
      this.looked(this.before);
      return;
    }
    const longer = this.judged(now < LEAST_LIMIT + 1 ? 1 : 0);
    // A limit that nobody comes near is not known to be too low.
    const isNear = this.mostUnderWay >= now / 2;
    this.mostUnderWay = 0;
    if (!isNear) return;
    if (longer > TOLERANCE && ++this.longRounds >= LOOK_EVERY) this.before = longer;
    const gradient = Math.max(MOST_SHRINKING, Math.min(1, TOLERANCE / longer));
    this.limit_ = this.bounded(now * gradient + Math.sqrt(now), most);
  }

  /** The other side said that it was too much. */
  refused(most: number): void {
    this.limit_ = this.bounded(Math.min(this.limit_, most) * BACK_OFF, most);
  }

  private now(most: number): number {
    const limit = Math.min(this.limit_, most);
    return this.before === undefined ? limit : limit / 2;
  }

  /** Half the limit held for long enough. Where calls took as long all the same, that is how long they take. */
  private looked(before: number): void {
    this.before = undefined;
    this.longRounds = 0;
    this.mostUnderWay = 0;
    this.judged(before / this.longer > HELPED ? 0 : SLOWER);
  }

  /** How many times as long as usual the latest calls took, each beside those of its kind. */
  private get longer(): number {
    let sum = 0;
    for (const { known, calls, sum: of, usual } of this.kinds.values())
      if (known >= TELLING) sum += of - calls * usual;
    return Math.exp(sum / this.calls);
  }

  /**
   * Takes what the latest calls took for usual, in part, and begins anew.
   *
   * @param slower of what they took longer; all of it where the limit is the least, as they wait for no others then
   */
  private judged(slower: number): number {
    const { longer } = this;
    for (const kind of this.kinds.values()) {
      const { calls, known } = kind;
      if (calls === 0) continue;
      const excess = kind.sum / calls - kind.usual;
      if (known < TELLING) kind.usual += (excess * calls) / (known + calls);
      else kind.usual += ((excess * calls) / this.calls) * (excess < 0 ? FASTER : slower);
      kind.known += calls;
      kind.calls = 0;
      kind.sum = 0;
    }
    this.calls = 0;
    return longer;
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
