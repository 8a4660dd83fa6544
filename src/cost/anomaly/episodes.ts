/** Findings of hours on end as one anomaly each, bounded in number, as they are told. It judges nothing. */
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type Anomaly, AnomalySchema } from "../../../gen/ts/llmgateway/v1/usage_pb.ts";
import { HOUR_MS } from "../../core/hours.ts";
import { nameOf } from "../../core/target.ts";
import type { Finding } from "./finding.ts";
import { wordsOf } from "./words.ts";

interface Episode {
  first: number;
  last: number;
  worst: Finding;
  /** Of all its hours; undefined where no price is known. */
  beyond: number | undefined;
}

/** Hours without a finding that do not end an episode: what comes back every night is one. */
const GAP_HOURS = 24;
const MAX_EPISODES = 1_000;

export class Episodes {
  /** In the order of their begin. */
  private episodes: Episode[] = [];
  private hour = Number.NEGATIVE_INFINITY;

  /** @returns those that begin with this hour, which is later than all before */
  add(hour: number, findings: readonly Finding[]): Anomaly[] {
    this.hour = hour;
    const begun: Episode[] = [];
    for (const finding of findings) {
      const name = keyOf(finding);
      const known = this.episodes.findLast((one) => keyOf(one.worst) === name);
      if (known && hour - known.last <= GAP_HOURS) extend(known, finding);
      else begun.push({ first: hour, last: hour, worst: finding, beyond: finding.beyond });
    }
    this.episodes = [...this.episodes, ...begun].slice(-MAX_EPISODES);
    return begun.map(anomalyOf);
  }

  /** Those that go on in the hour that was added last. */
  get now(): Anomaly[] {
    return this.episodes.filter(({ last }) => last === this.hour).map(anomalyOf);
  }

  /** Those of which an hour lies in this time, the latest first. */
  within(sinceMs: number, untilMs: number): Anomaly[] {
    return this.episodes
      .filter(({ first, last }) => first * HOUR_MS < untilMs && (last + 1) * HOUR_MS > sinceMs)
      .reverse()
      .map(anomalyOf);
  }
}

function keyOf({ kind, target }: Finding): string {
  return `${kind} ${target ? nameOf(target) : ""}`;
}

function extend(episode: Episode, finding: Finding): void {
  episode.last = finding.hour;
  if (finding.observed > episode.worst.observed) episode.worst = finding;
  if (finding.beyond === undefined || episode.beyond === undefined) return;
  // A share is that of a whole day, and days of hours on end have most of their dollars in common.
  episode.beyond =
    finding.kind === "spend" ? episode.beyond + finding.beyond : Math.max(episode.beyond, finding.beyond);
}

function anomalyOf({ first, last, worst, beyond }: Episode): Anomaly {
  const { kind, target, observed, expected } = worst;
  const scale = kind === "spend" ? 1e12 : 1;
  return create(AnomalySchema, {
    kind,
    provider: target?.provider ?? "",
    model: target?.model ?? "",
    since: timestampFromMs(first * HOUR_MS),
    until: timestampFromMs((last + 1) * HOUR_MS),
    observed: observed / scale,
    expected: expected / scale,
    ...(expected > 0 && { ratio: observed / expected }),
    ...(beyond !== undefined && { usd: beyond / 1e12 }),
    text: wordsOf(worst),
  });
}
