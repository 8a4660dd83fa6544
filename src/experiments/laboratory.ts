/**
 * All experiments of a configuration: which one a call is part of, what became of it, and what callers say of its
 * answer. It knows neither the configuration nor where figures are kept.
 */
import type { ChatRequest } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { type Assignment, type Call, SHADOWING } from "../core/call.ts";
import type { Clock } from "../core/clock.ts";
import type { CallRow } from "../core/ledger.ts";
import { AnsweredRequests } from "./answered.ts";
import { assigned, unitOf } from "./assign.ts";
import { Cap, type CapRule } from "./cap.ts";
import { type EntryRule, entrantOf, isEntrant, sentBy, stickyKeyOf, type Way } from "./entrants.ts";
import type { Outcome } from "./figures.ts";
import { ShadowFigures } from "./shadow-figures.ts";
import { type Ruling, Trial, type TrialRule } from "./trial.ts";

export interface ShadowRule extends Way, CapRule {
  readonly share: number;
  readonly timeoutMs: number;
}

export interface ExperimentRule {
  readonly trial: TrialRule;
  readonly entry: EntryRule;
  /** In the order of the trial's variants. */
  readonly ways: readonly Way[];
  readonly shadows: readonly ShadowRule[];
}

export interface Shadow {
  readonly rule: ShadowRule;
  readonly cap: Cap;
  readonly figures: ShadowFigures;
}

export interface Standing {
  readonly rule: ExperimentRule;
  readonly trial: Trial;
  readonly shadows: readonly Shadow[];
}

/** A call that is part of an experiment. */
export interface Joined {
  readonly assignment: Assignment;
  readonly request: ChatRequest;
}

export interface LaboratoryMeans {
  readonly clock: Clock;
  /** Draws from 0 up to 1. */
  readonly random: () => number;
  onRuling(trial: Trial, ruling: Ruling): void;
}

export class Laboratory {
  readonly answered = new AnsweredRequests();
  private readonly means: LaboratoryMeans;
  private standings: ReadonlyMap<string, Standing> = new Map();

  constructor(means: LaboratoryMeans) {
    this.means = means;
  }

  get all(): readonly Standing[] {
    return [...this.standings.values()];
  }

  find(name: string): Standing | undefined {
    return this.standings.get(name);
  }

  /** Other experiments are configured; those that compare the same go on. */
  replace(rules: readonly ExperimentRule[]): void {
    this.standings = new Map(rules.map((rule) => [rule.trial.name, this.standingOf(rule)]));
  }

  /** Undefined for a call that is part of none. The first that it could be part of has it. */
  join(call: Call): Joined | undefined {
    const request = entrantOf(call);
    if (!request) return undefined;
    for (const { rule, trial } of this.standings.values()) {
      if (!isEntrant(request, rule.entry)) continue;
      const unit = unitOf(rule.entry.name, stickyKeyOf(call, rule.entry), this.means.random);
      const share = assigned(trial.shares, unit);
      const way = share && rule.ways.find(({ name }) => name === share.name);
      if (!way) continue;
      const assignment = { name: rule.entry.name, variant: way.name, group: unit.group };
      return { assignment, request: sentBy(request, way) };
    }
    return undefined;
  }

  /** The call as it goes, once it has joined. */
  resent<C extends Call>(call: C): C {
    const { experiment } = call.tally;
    const request = entrantOf(call);
    const { ways = [] } = (experiment && this.standings.get(experiment.name)?.rule) ?? {};
    const way = ways.find(({ name }) => name === experiment?.variant);
    return request && way ? { ...call, request: sentBy(request, way) } : call;
  }

  /** To be told of each call once it is over. */
  settled(row: CallRow): void {
    const { experiment, receipt, method } = row;
    const standing = experiment && this.standings.get(experiment.name);
    // Those whose caller left say nothing.
    if (!standing || row.outcome === "abandoned") return;
    if (method === SHADOWING) {
      const shadow = standing.shadows.find(({ rule }) => rule.name === experiment.variant);
      shadow?.figures.ended(row.outcome !== "ok", receipt.cost?.actualPicoUsd);
      return;
    }
    standing.trial.count(experiment.variant, outcomeOf(row, experiment.group));
    if (row.outcome !== "ok") return;
    const { name, variant, group } = experiment;
    this.answered.add(row.tenant, receipt.requestId, { experiment: name, variant, group, score: undefined });
  }

  private standingOf(rule: ExperimentRule): Standing {
    const { clock, onRuling } = this.means;
    const known = this.standings.get(rule.trial.name);
    const shadows = rule.shadows.map((shadow) => {
      const before = known?.shadows.find((one) => one.rule.name === shadow.name);
      const { cap = new Cap(shadow, clock), figures = new ShadowFigures() } = before ?? {};
      cap.keep(shadow);
      return { rule: shadow, cap, figures };
    });
    if (known?.trial.rule.fingerprint === rule.trial.fingerprint) {
      known.trial.rule = rule.trial;
      return { rule, trial: known.trial, shadows };
    }
    const trial: Trial = new Trial(rule.trial, { clock, onRuling: (ruling) => onRuling(trial, ruling) });
    return { rule, trial, shadows };
  }
}

function outcomeOf({ outcome, receipt, startedAtMs, endedAtMs }: CallRow, group: number): Outcome {
  const { attempts, cost, cached } = receipt;
  const isPending = attempts.some((attempt) => attempt.outcome === "pending");
  return {
    group,
    cached,
    failed: outcome !== "ok" || attempts.some(({ trigger }) => trigger === "fallback"),
    latencyMs: endedAtMs - startedAtMs,
    costUsd: cost?.actualUsd,
    unpriced: !isPending && cost?.actualUsd === undefined,
    tokens: cost?.totalTokens ?? 0,
  };
}
