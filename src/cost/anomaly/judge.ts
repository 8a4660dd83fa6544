/** Everything that is held against an hour, model by model and in total. The rules stand in files of their own. */
import type { Target } from "../../core/call.ts";
import { Baselines } from "./baseline.ts";
import { judgeDoubts } from "./doubts.ts";
import type { Finding, Rule } from "./finding.ts";
import { History, type ModelHour, type Series } from "./history.ts";
import { judgeShare } from "./shares.ts";
import { expectedOf, judgeSpend } from "./spend.ts";

/** What an hour was to be expected to cost, in pico-dollars. */
export interface Expected {
  /** Undefined for all together. */
  readonly target: Target | undefined;
  readonly cost: number;
}

export interface Judged {
  readonly findings: readonly Finding[];
  /** Of those of which enough is known. */
  readonly expected: readonly Expected[];
}

export class Judge {
  private readonly history = new History();
  private baselines = new Map<Series, Baselines>();

  /** Hours that are over, `to` included: later ones than before, or some of the last anew. */
  learn(from: number, to: number, rows: readonly ModelHour[]): void {
    this.history.replace(from, to, rows);
    const models = [...this.history.models];
    const kept = this.history.total ? [this.history.total, ...models] : [];
    this.baselines = new Map(
      kept.map((series) => [series, this.baselines.get(series) ?? new Baselines(series)]),
    );
  }

  /** By what was learnt of it and of the hours before; to be asked hour by hour. */
  judge(hour: number, rule: Rule): Judged {
    const { total } = this.history;
    const findings: (Finding | undefined)[] = [];
    const expected: Expected[] = [];
    for (const [series, baselines] of this.baselines) {
      const baseline = baselines.at(hour);
      if (baseline) expected.push({ target: series.target, cost: expectedOf(series, hour, baseline) });
      findings.push(judgeSpend(series, hour, baseline, rule), ...judgeDoubts(series, hour, rule));
      if (series.target && total) findings.push(judgeShare(series, total, hour, rule));
    }
    return { findings: findings.filter((finding) => finding !== undefined), expected };
  }
}
