/**
 * Looks at each hour once it is over, off the way of calls: reads it from the store, has it judged, and keeps what was
 * found. At the start, and when other prices or rules are in force, the weeks that are kept are judged anew.
 */
import { setImmediate } from "node:timers/promises";
import type { Anomaly } from "../../../gen/ts/llmgateway/v1/usage_pb.ts";
import type { Clock } from "../../core/clock.ts";
import { HOUR_MS } from "../../core/hours.ts";
import { repeat } from "../../core/repeat.ts";
import type { Period, UsageStore, UsageSums } from "../../core/usage-store.ts";
import type { Pricing } from "../means.ts";
import { Episodes } from "./episodes.ts";
import type { Rule } from "./finding.ts";
import { DAY, KEPT_HOURS, type ModelHour } from "./history.ts";
import { type Expected, Judge } from "./judge.ts";
import { worthOf } from "./worth.ts";

export interface WatchOptions {
  readonly usage: Pick<UsageStore, "usage">;
  readonly clock: Clock;
  /** Asked anew each time, since a reload replaces it. */
  readonly inForce: () => Terms;
  /** Told of each anomaly when it begins, those of hours long past excepted. */
  readonly onBegun: (anomaly: Anomaly) => void;
  readonly onError: (error: unknown) => void;
}

export interface Terms {
  readonly enabled: boolean;
  readonly rule: Rule;
  readonly pricing: Pick<Pricing, "version" | "find">;
}

export interface Watch {
  /** Those of which an hour lies in this time, the latest first. */
  within(period: Period): Anomaly[];
  /** Those that go on in the last hour that was judged. */
  readonly now: readonly Anomaly[];
  /** What that hour was to be expected to cost. */
  readonly expected: readonly Expected[];
  stop(): Promise<void>;
}

/** What is judged by the same prices and rules. */
interface State {
  readonly terms: string;
  readonly judge: Judge;
  readonly episodes: Episodes;
  /** All hours are told by the prices of this moment. */
  readonly pricesOfMs: number;
  /** The last hour that is. */
  judged: number;
  expected: readonly Expected[];
}

const EVERY_MS = 60_000;
/** Attempts count in the hour in which they began, once they are over; most are by then. */
const SETTLING_MS = 5 * 60_000;

export function watchSpend(options: WatchOptions): Watch {
  const { clock, inForce, onError } = options;
  let state: State | undefined;
  let told = lastHour(clock.now()) - 1;
  const look = async () => {
    const { enabled, ...terms } = inForce();
    if (!enabled) {
      state = undefined;
      return;
    }
    const last = lastHour(clock.now());
    const name = JSON.stringify([terms.pricing.version, terms.rule]);
    const known = state?.terms === name ? state : await begin(name, last, options);
    await goOn(known, last, terms, options, (hour, begun) => {
      if (hour <= told) return;
      told = hour;
      for (const anomaly of begun) options.onBegun(anomaly);
    });
    state = known;
  };
  const first = look().catch(onError);
  const repeated = repeat(clock, EVERY_MS, async () => {
    await first;
    await look().catch(onError);
  });
  return {
    within: ({ sinceMs, untilMs }) => state?.episodes.within(sinceMs, untilMs) ?? [],
    get now() {
      return state?.episodes.now ?? [];
    },
    get expected() {
      return state?.expected ?? [];
    },
    async stop() {
      await repeated.stop();
      await first;
    },
  };
}

/** The last that is over, counted from 1970. */
function lastHour(nowMs: number): number {
  return Math.floor((nowMs - SETTLING_MS) / HOUR_MS) - 1;
}

/** Nothing is judged yet; hours before the first with anything in it need not be. */
async function begin(terms: string, last: number, { usage, clock }: WatchOptions): Promise<State> {
  const from = Math.max(0, last - KEPT_HOURS + 1);
  const hours = await usage.usage({ ...periodOf(from, last), groupBy: ["hour"], filter: {} });
  const first = Math.min(last + 1, ...hours.map(({ group: [hour = ""] }) => hourOf(hour)));
  return {
    terms,
    judge: new Judge(),
    episodes: new Episodes(),
    pricesOfMs: clock.now(),
    judged: first - 1,
    expected: [],
  };
}

/** A day at a time from the store and an hour at a time to be judged, so that no other work waits for long. */
async function goOn(
  state: State,
  last: number,
  { pricing, rule }: Pick<Terms, "pricing" | "rule">,
  { usage }: WatchOptions,
  tell: (hour: number, begun: readonly Anomaly[]) => void,
): Promise<void> {
  while (state.judged < last) {
    const to = Math.min(last, state.judged + DAY);
    // What was still under way when its hour was judged is in the baseline of later ones.
    const from = Math.max(0, Math.min(state.judged + 1, to - DAY + 1));
    const period = periodOf(from, to);
    const sums = await usage.usage({ ...period, groupBy: ["hour", "provider", "model"], filter: {} });
    state.judge.learn(
      from,
      to,
      sums.map((sum) => modelHour(sum, pricing, state.pricesOfMs)),
    );
    for (let hour = state.judged + 1; hour <= to; hour++) {
      const { findings, expected } = state.judge.judge(hour, rule);
      tell(hour, state.episodes.add(hour, findings));
      state.expected = expected;
      await setImmediate();
    }
    state.judged = to;
  }
}

function periodOf(from: number, to: number): Period {
  return { sinceMs: from * HOUR_MS, untilMs: Math.max(0, to + 1) * HOUR_MS };
}

function hourOf(group: string): number {
  return Date.parse(group) / HOUR_MS;
}

function modelHour(sums: UsageSums, pricing: Terms["pricing"], nowMs: number): ModelHour {
  const [hour = "", provider = "", model = ""] = sums.group;
  const { attempts, unpriced, estimated } = sums;
  const target = { provider, model };
  return {
    hour: hourOf(hour),
    target,
    worth: worthOf(pricing.find(target, nowMs), sums),
    booked: Number(sums.costPicoUsd),
    bookedEstimated: Number(sums.estimatedPicoUsd),
    attempts,
    unpriced,
    estimated,
  };
}
