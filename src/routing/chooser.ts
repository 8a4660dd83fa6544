/** Orders those who could serve a call by what it would cost there, how fast they are, and whom the operator prefers. */
import type { Candidate } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import type { Call, Target } from "../core/call.ts";
import type { Failure } from "../core/failure.ts";
import { fromUsd, type PicoUsd, toUsd } from "../core/money.ts";
import { nameOf } from "../core/target.ts";
import { candidateOf, type EligibleMeans, objectionTo } from "./eligible.ts";
import { refused } from "./named.ts";

export interface PolicyRule {
  /** The most welcome first. */
  readonly targets: readonly Target[];
  /** US dollars; undefined is no limit. */
  readonly maxCostPerRequest?: number | undefined;
  /** What the model must be known to do. */
  readonly capabilities: readonly string[];
  readonly region: string;
  readonly minQuality: string;
  readonly optimize: string;
}

export interface ChooserMeans extends EligibleMeans {
  policy(name: string): PolicyRule | undefined;
  readonly policies: readonly string[];
  /** What the call is expected to cost there; undefined when that is not known. */
  cost(call: Call, target: Target): PicoUsd | undefined;
  /** What it is expected to cost there with an answer of one token; undefined when that is not known. */
  leastCost(call: Call, target: Target): PicoUsd | undefined;
  /** Milliseconds that half of the calls take to their first word; undefined when that is not known. */
  latencyMs(target: Target, streaming: boolean): number | undefined;
  /** How its circuit stands. */
  stateOf(target: Target): "closed" | "half_open" | "open";
  /** Whether it is half open, and the next call there would find out whether it serves again. */
  awaitsProbe(target: Target): boolean;
  region(provider: string): string;
  quality(target: Target): string;
}

export interface Choice {
  /** Best first, and never empty. */
  readonly targets: readonly Target[];
  readonly candidates: readonly Candidate[];
}

/** The policy of requests with `prefer_low_cost`. */
export const LOW_COST = "low_cost";
const QUALITIES = ["low", "standard", "high"];
const HEALTH = { closed: 0, half_open: 1, open: 2 } as const;
/** What each figure beside the main one weighs: a target goes first for them that is a tenth worse at most. */
const BESIDE = 0.05;

/**
 * @param among those to choose from; undefined for the policy's own
 * @throws Failure `invalid_request` for a policy that there is not, or when nobody can serve
 */
export function choose(
  call: Call,
  name: string,
  among: readonly Target[] | undefined,
  means: ChooserMeans,
): Choice {
  const rule = means.policy(name);
  if (!rule) {
    throw refused(
      "invalid_request",
      "routing_policy",
      `there is no policy "${name}"; there are ${means.policies.join(", ")}`,
    );
  }
  const targets = among ?? rule.targets;
  const judged = targets.map((target, index) => judge(target, index, call, rule, means));
  const eligible = judged.filter(({ objection }) => objection === undefined);
  if (eligible.length === 0) throw nobody(name, judged);
  score(eligible, rule.optimize);
  eligible.sort((a, b) => a.health - b.health || a.score - b.score || a.index - b.index);
  const excluded = judged.filter(({ objection }) => objection !== undefined);
  return {
    targets: eligible.map(({ target }) => target),
    candidates: [...eligible, ...excluded].map((one) => told(one, rule.optimize)),
  };
}

interface Judged {
  readonly target: Target;
  readonly index: number;
  readonly objection: string | undefined;
  readonly tooDear: boolean;
  readonly cost: PicoUsd | undefined;
  readonly latencyMs: number | undefined;
  readonly state: "closed" | "half_open" | "open";
  readonly health: number;
  score: number;
}

function judge(target: Target, index: number, call: Call, rule: PolicyRule, means: ChooserMeans): Judged {
  const unfit = objectionTo(target, call, means) ?? unwelcome(target, rule, means);
  const cost = unfit === undefined ? means.cost(call, target) : undefined;
  const dear = unfit === undefined ? tooDear(target, cost, call, rule, means) : undefined;
  const state = means.stateOf(target);
  return {
    target,
    index,
    objection: unfit ?? dear,
    tooDear: dear !== undefined,
    cost,
    latencyMs: means.latencyMs(target, call.streaming),
    state,
    // Behind others that serve it would never be asked, and so never serve again: one call tries it in its own place.
    health: means.awaitsProbe(target) ? HEALTH.closed : HEALTH[state],
    score: 0,
  };
}

function unwelcome(target: Target, rule: PolicyRule, means: ChooserMeans): string | undefined {
  const { capabilities } = means.models.find(target) ?? {};
  const known = capabilities as Readonly<Record<string, unknown>> | undefined;
  const lacking = rule.capabilities.find((name) => known?.[camelCase(name)] !== true);
  if (lacking) return `it is not known to have ${lacking}`;
  const region = means.region(target.provider);
  if (rule.region && region !== rule.region)
    return `it serves in ${region || "no region"}, not in ${rule.region}`;
  const quality = means.quality(target);
  if (QUALITIES.indexOf(quality) < QUALITIES.indexOf(rule.minQuality))
    return `its quality is ${quality}, and ${rule.minQuality} is wanted`;
  return undefined;
}

function tooDear(
  target: Target,
  cost: PicoUsd | undefined,
  call: Call,
  { maxCostPerRequest }: PolicyRule,
  means: ChooserMeans,
): string | undefined {
  const { maxCost } = call;
  const limit = maxCostPerRequest === undefined ? undefined : fromUsd(maxCostPerRequest);
  if (cost === undefined)
    return limit !== undefined || maxCost !== undefined ? "its price is not known" : undefined;
  if (limit !== undefined && cost > limit)
    return `it would cost about $${toUsd(cost)}, more than the policy's $${maxCostPerRequest}`;
  const least = maxCost === undefined ? undefined : means.leastCost(call, target);
  if (maxCost === undefined || least === undefined || least <= maxCost) return undefined;
  return `max_cost_usd affords no reply there: the least is about $${toUsd(least)}`;
}

function score(eligible: readonly Judged[], optimize: string): void {
  // Without a price it may cost anything. What nobody knows the speed of is found out by asking it.
  const costs = figuresOf(
    eligible.map(({ cost }) => (cost === undefined ? undefined : Number(cost))),
    "last",
  );
  const latencies = figuresOf(
    eligible.map(({ latencyMs }) => latencyMs),
    "best",
  );
  const preferences = figuresOf(
    eligible.map((_, place) => place + 1),
    "last",
  );
  const main = { cost: costs, latency: latencies }[optimize] ?? preferences;
  const beside = [costs, latencies, preferences].filter((figures) => figures !== main);
  for (const [place, judged] of eligible.entries()) {
    judged.score = main[place]?.ratio ?? 1;
    for (const figures of beside) judged.score += BESIDE * (figures[place]?.share ?? 0);
  }
}

interface Figure {
  /** To the best there is, which is 1. */
  readonly ratio: number;
  /** How much worse than the best: from 0 up to 1, however bad it is. */
  readonly share: number;
}

/** @param unknown how those count of whom nothing is known */
function figuresOf(values: readonly (number | undefined)[], unknown: "best" | "last"): Figure[] {
  let best = Number.POSITIVE_INFINITY;
  let worst = 1;
  for (const value of values) {
    if (value === undefined) continue;
    best = Math.min(best, value);
    worst = Math.max(worst, value);
  }
  // Nothing is a multiple of nothing: what is free is compared by its smallest unit.
  best = Number.isFinite(best) ? Math.max(best, 1) : 1;
  return values.map((value = unknown === "best" ? best : worst + best) => ({
    ratio: value / best,
    share: value > best ? 1 - best / value : 0,
  }));
}

function told({ target, objection, cost, latencyMs, state, score }: Judged, optimize: string): Candidate {
  if (objection !== undefined) return candidateOf(target, objection, { eligible: false });
  const words = [
    `by ${optimize}`,
    ...(latencyMs === undefined ? [] : [`usually ${Math.round(latencyMs)} ms to the first word`]),
    ...(state === "closed" ? [] : [`its circuit is ${state.replace("_", " ")}`]),
  ];
  const priced = cost === undefined ? {} : { estimatedPicoUsd: cost, estimatedUsd: toUsd(cost) };
  return candidateOf(target, words.join(", "), { score, ...priced });
}

function nobody(name: string, judged: readonly Judged[]): Failure {
  const why = judged.map(({ target, objection }) => `${nameOf(target)}: ${objection}`).join("; ");
  const description = `no candidate of the policy "${name}" can serve this: ${why || "it has none"}`;
  // Whoever could do it for more money is kept from it by the money.
  const kind = judged.some(({ tooDear }) => tooDear) ? "budget_exceeded" : "invalid_request";
  const field = name === LOW_COST ? "prefer_low_cost" : "routing_policy";
  return refused(kind, field, description);
}

function camelCase(name: string): string {
  return name.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
}
