/**
 * Experiments, over all reloads: what the configuration says of them, what they add to metrics and log, and their
 * figures in the durable store, where each process finds those of the others.
 */
import { hash, randomUUID } from "node:crypto";
import { durationMs, timestampMs } from "@bufbuild/protobuf/wkt";
import type { CompleteConfig } from "./config/defaults.ts";
import type { CompleteExperiment } from "./config/experiments.ts";
import type { Clock } from "./core/clock.ts";
import { ENDED, type ExperimentStore } from "./core/experiment-store.ts";
import { Failure } from "./core/failure.ts";
import type { CallRow } from "./core/ledger.ts";
import { fromUsd } from "./core/money.ts";
import { repeat } from "./core/repeat.ts";
import { UnderWay } from "./core/under-way.ts";
import { entryOf } from "./experiments/entrants.ts";
import { ownText, rulingText, sumText, told } from "./experiments/kept.ts";
import { type ExperimentRule, Laboratory } from "./experiments/laboratory.ts";
import type { Trial } from "./experiments/trial.ts";
import type { Signals } from "./layers/record.ts";
import type { Copy, ShadowMeans } from "./layers/shadow.ts";
import type { ExperimentBackend } from "./rpc/experiment-handlers.ts";
import { experimentSignals } from "./telemetry/experiments.ts";

export interface Experiments extends ExperimentBackend {
  readonly laboratory: Laboratory;
  readonly shadowing: Omit<ShadowMeans, "newCallId">;
  /** To be told of each call once it is over. */
  settled(row: CallRow): void;
  /** Others are configured from now on. */
  replace(config: CompleteConfig): void;
  /** Ends the copies that are under way, and keeps what was counted. */
  close(): Promise<void>;
}

export interface Desk {
  readonly store: { readonly experiments: ExperimentStore };
  readonly signals: Signals;
  readonly clock: Clock;
}

/** How often figures are kept, and those of others are read. */
const SYNC_MS = 5_000;
/** How long figures are kept that nobody adds to. */
const KEPT_MS = 90 * 86_400_000;
/** Where many processes end at once, as often at most does one try to have its figures among those of all that have. */
const FOLDS = 20;

export async function openExperiments(config: CompleteConfig, desk: Desk): Promise<Experiments> {
  const { signals, clock } = desk;
  const store = desk.store.experiments;
  const random = Math.random;
  // This process, by a name that none had before it.
  const instance = randomUUID();
  const { logger, metrics } = signals;
  const onError = (error: unknown) =>
    logger.error({ err: error }, "the database of experiments did not answer");
  const laboratory: Laboratory = new Laboratory({
    clock,
    random,
    onRuling(trial, ruling) {
      const { name: experiment } = trial.rule;
      const { kind, winner, by, reason, harmful } = ruling;
      logger.warn(
        { experiment, decision: kind, winner: winner || undefined, by, reason, harmful },
        "experiment",
      );
      store.keep(rowOf(trial, "", ruling.atMs, rulingText(ruling))).catch(onError);
    },
  });
  const telling = experimentSignals(metrics.registry, () => sharesOf(laboratory));
  const underWay = new UnderWay();
  const ending = new AbortController();
  const sync = async () => {
    if (laboratory.all.length === 0) return;
    for (const { trial } of laboratory.all)
      await store.keep(rowOf(trial, instance, clock.now(), ownText(trial)));
    const rows = await store.load();
    for (const { trial } of laboratory.all) {
      const { name, fingerprint } = trial.rule;
      const own = rows.filter((row) => row.name === name && row.fingerprint === fingerprint);
      const { figures, ruling, sinceMs } = told(own.filter((row) => row.instance !== instance));
      trial.hear(figures, ruling, sinceMs);
    }
  };
  const end = async () => {
    for (const { trial } of laboratory.all) await fold(store, trial, instance, clock);
  };
  const replace = ({ experiments }: CompleteConfig) =>
    laboratory.replace(Object.entries(experiments).map(([name, experiment]) => ruleOf(name, experiment)));
  replace(config);
  await sync().catch(onError);
  const syncing = repeat(clock, SYNC_MS, () => sync().catch(onError));
  const forgetting = repeat(clock, 3_600_000, () => store.sweep(clock.now() - KEPT_MS).catch(onError));
  return {
    laboratory,
    store,
    shadowing: {
      clock,
      underWay,
      signal: ending.signal,
      copiesOf: (call) => copiesOf(laboratory, call, random, telling),
    },
    rated: telling.rated,
    sync: () => sync().catch(onError),
    settled(row) {
      if (!row.experiment) return;
      laboratory.settled(row);
      telling.ended(row);
    },
    replace,
    async close() {
      ending.abort(new Failure("shutting_down", "the gateway is being stopped"));
      await underWay.none();
      await syncing.stop();
      await forgetting.stop();
      await sync().then(end).catch(onError);
    },
  };
}

/** Without it each start of a process would leave figures of its own to be read by all others ever after. */
async function fold(store: ExperimentStore, { rule }: Trial, instance: string, clock: Clock): Promise<void> {
  const { name, fingerprint } = rule;
  for (let tries = 0; tries < FOLDS; tries++) {
    const rows = (await store.load()).filter((row) => row.name === name && row.fingerprint === fingerprint);
    const own = rows.find((row) => row.instance === instance);
    const before = rows.find((row) => row.instance === ENDED);
    if (!own) return;
    const body = sumText(before ? [own, before] : [own]);
    const sum = { name, fingerprint, instance: ENDED, updatedAtMs: clock.now(), body };
    if (await store.fold(instance, sum, before?.body)) return;
  }
}

function rowOf({ rule: { name, fingerprint } }: Trial, instance: string, updatedAtMs: number, body: string) {
  return { name, fingerprint, instance, updatedAtMs, body };
}

function copiesOf(
  laboratory: Laboratory,
  { tally, request }: Parameters<ShadowMeans["copiesOf"]>[0],
  random: () => number,
  telling: ReturnType<typeof experimentSignals>,
): readonly Copy[] {
  const { experiment, served } = tally;
  const standing = experiment && laboratory.find(experiment.name);
  // What nobody was asked for anew tells nothing; and what must not be kept is not to be told to others either.
  if (!standing || served || request.$typeName !== "llmgateway.v1.ChatRequest" || request.sensitive)
    return [];
  return standing.shadows.flatMap(({ rule, cap, figures }) => {
    if (random() >= rule.share) return [];
    const held = cap.take();
    if (typeof held === "string") {
      figures.capped++;
      telling.capped(experiment.name, rule.name, held);
      return [];
    }
    return {
      experiment: experiment.name,
      rule,
      held,
      compared(comparison) {
        figures.compare(comparison);
        telling.compared(experiment.name, rule.name, comparison);
      },
    };
  });
}

function* sharesOf(laboratory: Laboratory) {
  for (const { trial } of laboratory.all) {
    const { shares } = trial;
    const total = shares.reduce((sum, { weight }) => sum + weight, 0);
    for (const { name, weight } of shares)
      yield { experiment: trial.rule.name, variant: name, share: total > 0 ? weight / total : 0 };
  }
}

function ruleOf(name: string, experiment: CompleteExperiment): ExperimentRule {
  const { decision, variants, shadows, start, stop, stickyBy } = experiment;
  const { confidence, minDuration, decide, objective, ...figures } = decision;
  const compared = [variants, objective, decision.qualityWeight, decision.costWeight, stickyBy];
  return {
    trial: {
      ...figures,
      name,
      fingerprint: digest(compared),
      enabled: experiment.enabled,
      startMs: start && timestampMs(start),
      stopMs: stop && timestampMs(stop),
      decides: decide === "auto",
      variants,
      objective: objective as ExperimentRule["trial"]["objective"],
      alpha: 1 - confidence,
      minDurationMs: durationMs(minDuration),
      sticky: stickyBy !== "none",
    },
    entry: entryOf(name, experiment),
    ways: variants.map(wayOf),
    shadows: shadows.map((shadow) => ({
      ...wayOf(shadow),
      share: shadow.share,
      maxPerHour: fromUsd(shadow.maxCostPerHour),
      maxPerMinute: shadow.maxPerMinute,
      timeoutMs: durationMs(shadow.timeout),
    })),
  };
}

function wayOf({
  name,
  model,
  parameters,
}: CompleteExperiment["variants"][number] | CompleteExperiment["shadows"][number]) {
  return { name, model, parameters };
}

function digest(value: unknown): string {
  const text = JSON.stringify(value, (_, one) => (typeof one === "bigint" ? String(one) : one));
  return hash("sha256", text, "base64url").slice(0, 22);
}
