/** `llmgateway experiments`: how they stand, and deciding them by hand. */
import { toJsonString } from "@bufbuild/protobuf";
import {
  type Estimate,
  type Experiment,
  ExperimentSchema,
  GetExperimentsResponseSchema,
  type ShadowFigures,
  type VariantFigures,
} from "../../gen/ts/llmgateway/v1/experiment_pb.ts";
import { call, JSON_OPTIONS } from "./call.ts";
import type { JsonOptions } from "./jobs.ts";
import { table } from "./table.ts";

const PRETTY = { ...JSON_OPTIONS, prettySpaces: 2 } as const;
const HEAD = ["VARIANT", "SHARE", "CALLS", "FAILED", "COST", "LATENCY", "FEEDBACK", ""];
const SHADOW_HEAD = ["SHADOW", "COPIES", "FAILED", "CAPPED", "COST", "EQUAL", "ALIKE"];

/** @param name empty for all */
export function showExperiments(name: string, { json, ...options }: JsonOptions): Promise<number> {
  return call(options, async (gateway, signal) => {
    const reply = await gateway.getExperiments({ name }, { signal });
    const text = json
      ? `${toJsonString(GetExperimentsResponseSchema, reply, PRETTY)}\n`
      : reply.experiments.map(told).join("\n") || "there are no experiments\n";
    process.stdout.write(text);
  });
}

/** @param variant empty to take back what was decided */
export function promoteVariant(experiment: string, variant: string, options: JsonOptions): Promise<number> {
  return call(options, async (gateway, signal) =>
    write(await gateway.promoteVariant({ experiment, variant }, { signal }), options),
  );
}

export function stopExperiment(experiment: string, options: JsonOptions): Promise<number> {
  return call(options, async (gateway, signal) =>
    write(await gateway.stopExperiment({ experiment }, { signal }), options),
  );
}

function write(experiment: Experiment, { json }: JsonOptions): void {
  process.stdout.write(json ? `${toJsonString(ExperimentSchema, experiment, PRETTY)}\n` : told(experiment));
}

function told({ name, state, reason, winner, variants, shadows }: Experiment): string {
  const decision = winner ? `${state}, ${winner} has all calls` : state;
  const title = `${name}: ${decision}${reason ? ` (${reason})` : ""}\n`;
  const copies = shadows.length > 0 ? table(SHADOW_HEAD, shadows.map(shadowRow)) : "";
  return title + table(HEAD, variants.map(variantRow)) + copies;
}

function variantRow(variant: VariantFigures): string[] {
  const { name, share, requests, stoppedBecause } = variant;
  return [
    name,
    percent(share),
    String(requests),
    between(variant.failureRate, percent),
    between(variant.costUsd, (usd) => `$${usd.toPrecision(3)}`),
    between(variant.latencyMs, (ms) => `${Math.round(ms)} ms`),
    between(variant.feedback, (score) => score.toFixed(2)),
    stoppedBecause && `stopped: ${stoppedBecause}`,
  ];
}

function shadowRow({ name, copies, failures, capped, costUsd, equalShare, meanSimilarity }: ShadowFigures) {
  const counts = [copies, failures, capped].map(String);
  const shares = [equalShare, meanSimilarity].map((share) => (share === undefined ? "" : percent(share)));
  return [name, ...counts, `$${costUsd.toPrecision(3)}`, ...shares];
}

function between(estimate: Estimate | undefined, text: (value: number) => string): string {
  const { mean, low, high } = estimate ?? {};
  if (mean === undefined) return "";
  return low === undefined || high === undefined ? text(mean) : `${text(mean)} (${text(low)}–${text(high)})`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
