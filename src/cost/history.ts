/** How long answers were, by who gave them, to expect the next one's length. It sees no answer itself. */
import { LRUMap } from "mnemonist";

export interface ExpectedOutput {
  /** The median, so that half of the answers are longer. */
  readonly expected: number;
  /** With a margin, what one answer in a hundred exceeds. */
  readonly likely: number;
}

/** Of a provider's model and a kind of request, as many tokens as it wrote for one answer. */
export class OutputHistory {
  private readonly histograms = new LRUMap<string, Histogram>(TARGETS);

  /** @param limits the caller's and the model's, where there are some */
  expect(target: string, ...limits: readonly (number | undefined)[]): ExpectedOutput {
    const { expected, likely } = this.histograms.get(target)?.outlook ?? PRIOR;
    const most = Math.min(...limits.map((limit = Infinity) => limit));
    return { expected: Math.min(expected, most), likely: Math.min(likely, most) };
  }

  /**
   * How long an answer is on average, which is what many of them cost: long ones count for more than in the median.
   *
   * @param limit that no answer exceeds
   */
  mean(target: string, limit = Number.POSITIVE_INFINITY): number {
    return this.histograms.get(target)?.mean(limit) ?? Math.min(PRIOR.expected, limit);
  }

  observe(target: string, outputTokens: number): void {
    const histogram = this.histograms.get(target) ?? new Histogram();
    histogram.add(outputTokens);
    this.histograms.set(target, histogram);
  }
}

const TARGETS = 1_000;
/** Before anything is known. */
const PRIOR: ExpectedOutput = { expected: 256, likely: 4_096 };
/** The prior counts as so many answers, spread from what is expected to what is likely. */
const PRIOR_ANSWERS = 8;

/** Four buckets for each doubling: a bucket's bound is at most a fifth above what is in it. */
const BUCKETS_PER_DOUBLING = 4;
const BUCKETS = 21 * BUCKETS_PER_DOUBLING;
/** Where so many answers are counted, all count half from then on: habits change. */
const FULL = 4_096;
const LIKELY = 0.99;
const MARGIN = 1.25;

class Histogram {
  private readonly counts = new Float32Array(BUCKETS + 1);
  /** Of the answers alone, without the prior: how many, and their tokens. */
  private readonly answers = new Float64Array(BUCKETS + 1);
  private readonly tokens = new Float64Array(BUCKETS + 1);
  private longest = 0;
  private meanOfAll: number | undefined;
  private total = 0;
  /** Asked for with every call, and changed only by answers. */
  private known: ExpectedOutput | undefined;

  constructor() {
    this.count(PRIOR.expected, PRIOR_ANSWERS - 1);
    this.count(PRIOR.likely / MARGIN, 1);
  }

  get outlook(): ExpectedOutput {
    this.known ??= { expected: this.quantile(0.5), likely: Math.ceil(this.quantile(LIKELY) * MARGIN) };
    return this.known;
  }

  mean(limit: number): number {
    if (limit < 2 * boundOf(this.longest)) return this.meanWithin(limit);
    this.meanOfAll ??= this.meanWithin(limit);
    return this.meanOfAll;
  }

  add(tokens: number): void {
    // One answer that is longer than any other must not stand for all.
    const believed = Math.min(tokens, this.outlook.likely);
    const at = bucketOf(believed);
    this.answers[at] = (this.answers[at] ?? 0) + 1;
    this.tokens[at] = (this.tokens[at] ?? 0) + believed;
    this.longest = Math.max(this.longest, at);
    this.count(tokens, 1);
    this.known = undefined;
    this.meanOfAll = undefined;
    if (this.total < FULL) return;
    this.total /= 2;
    for (const sums of [this.counts, this.answers, this.tokens]) {
      for (let at = 0; at <= BUCKETS; at++) sums[at] = (sums[at] ?? 0) / 2;
    }
  }

  private meanWithin(limit: number): number {
    let answers = 0;
    let tokens = 0;
    for (let at = 0; at <= this.longest; at++) {
      const many = this.answers[at] ?? 0;
      if (many === 0) continue;
      answers += many;
      tokens += Math.min(this.tokens[at] ?? 0, limit * many);
    }
    // What nobody measured is soon forgotten.
    const prior = Math.max(0, PRIOR_ANSWERS - answers);
    return Math.round((tokens + prior * Math.min(PRIOR.expected, limit)) / (answers + prior));
  }

  private count(tokens: number, answers: number): void {
    const bucket = bucketOf(tokens);
    this.counts[bucket] = (this.counts[bucket] ?? 0) + answers;
    this.total += answers;
  }

  private quantile(share: number): number {
    let left = share * this.total;
    let bucket = 0;
    for (; bucket < BUCKETS; bucket++) {
      left -= this.counts[bucket] ?? 0;
      if (left <= 0) break;
    }
    return Math.round(boundOf(bucket));
  }
}

function bucketOf(tokens: number): number {
  return Math.min(Math.round(BUCKETS_PER_DOUBLING * Math.log2(Math.max(1, tokens))), BUCKETS);
}

function boundOf(bucket: number): number {
  return 2 ** (bucket / BUCKETS_PER_DOUBLING);
}
