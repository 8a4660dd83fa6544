/** What holds of experiments when nothing is said, and whether what they say of each other makes sense. */
import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import {
  type Experiment,
  type ExperimentDecision,
  ExperimentDecisionSchema,
} from "../../gen/ts/llmgateway/config/v1/config_pb.ts";
import { keyPath, type Violation } from "../core/strict-json.ts";
import type { Complete } from "./complete.ts";

export type CompleteExperiment = Complete<Experiment>;

export function completeExperiment(given: Experiment): CompleteExperiment {
  const { start, stop, ...experiment } = given;
  return {
    ...experiment,
    ...(start ? { start } : {}),
    ...(stop ? { stop } : {}),
    enabled: given.enabled ?? true,
    variants: given.variants.map((variant) => ({
      ...variant,
      name: variant.name || variant.model,
      weight: variant.weight ?? 1,
    })),
    all: given.all ?? false,
    stickyBy: given.stickyBy || "session_id",
    decision: completeDecision(given.decision),
    shadows: given.shadows.map((shadow) => ({
      ...shadow,
      name: shadow.name || shadow.model,
      share: shadow.share ?? 1,
      maxCostPerHour: shadow.maxCostPerHour ?? 1,
      maxPerMinute: shadow.maxPerMinute ?? 60,
      timeout: shadow.timeout ?? durationFromMs(60_000),
    })),
  };
}

/** Beside those about whether the models are there. */
export function experimentViolations(name: string, experiment: CompleteExperiment): Violation[] {
  const path = keyPath("experiments", name);
  const violations: Violation[] = [];
  if (name === "none") {
    const description = "is what a request says for no experiment; give it another name";
    violations.push({ field: path, description });
  }
  if (experiment.variants.length > 0 && experiment.variants.every(({ weight }) => weight === 0)) {
    const description = "all have the weight 0; give one of them more";
    violations.push({ field: `${path}.variants`, description });
  }
  const taken = new Set<string>();
  for (const list of ["variants", "shadows"] as const)
    for (const [index, one] of experiment[list].entries()) {
      if (taken.has(one.name)) {
        const description = `"${one.name}" is taken; give each variant and each shadow a name of its own`;
        violations.push({ field: `${path}.${list}[${index}].name`, description });
      }
      taken.add(one.name);
    }
  const { start, stop } = experiment;
  if (start && stop && stop.seconds <= start.seconds)
    violations.push({ field: `${path}.stop`, description: "must be later than start" });
  return violations;
}

function completeDecision(
  given: ExperimentDecision = create(ExperimentDecisionSchema),
): Complete<ExperimentDecision> {
  return {
    ...given,
    decide: given.decide || "off",
    objective: given.objective || "cost",
    qualityWeight: given.qualityWeight ?? 1,
    costWeight: given.costWeight ?? 1,
    confidence: given.confidence ?? 0.95,
    minSamples: given.minSamples ?? 200,
    minDuration: given.minDuration ?? durationFromMs(86_400_000),
    stopOnHarm: given.stopOnHarm ?? true,
    harmMinSamples: given.harmMinSamples ?? 50,
    maxFailureIncrease: given.maxFailureIncrease ?? 0.05,
    maxLatencyIncrease: given.maxLatencyIncrease ?? 0.5,
    maxCostIncrease: given.maxCostIncrease ?? 1,
    maxQualityDecrease: given.maxQualityDecrease ?? 0.1,
  };
}
