/**
 * Holds a request for the service tier `batch` against what can be served so: it needs a job, which can wait, a
 * provider that has batches, and a price. Nothing is ever served dearer instead.
 */
import { isBatch, type Layer, type RoutedCall, type Target } from "../core/call.ts";
import { invalidRequest } from "../core/failure.ts";

export interface BatchRules {
  /** The configured providers that have batches. */
  readonly providers: readonly string[];
  /** Whether it is known what a batch costs, where costs matter. */
  isPriced(target: Target, atMs: number): boolean;
  /** The provider's models for which that is known, the likeliest first. */
  pricedModels(provider: string): readonly string[];
}

export function batch(rules: BatchRules): Layer<RoutedCall> {
  return (next) => (call) => {
    const description = isBatch(call) ? objection(call, rules) : undefined;
    if (description === undefined) return next(call);
    return Promise.reject(invalidRequest([{ field: "parameters.service_tier", description }]));
  };
}

/** How many models a refusal names. */
const NAMED = 5;

/** Why it cannot be served as a batch, and what to do; undefined when it can. */
export function objection(
  { target, parking, streaming, context }: Pick<RoutedCall, "target" | "parking" | "streaming" | "context">,
  { providers, isPriced, pricedModels }: BatchRules,
): string | undefined {
  if (!parking) return "batch is answered within a day, and so is for jobs alone: submit it by SubmitJob";
  if (streaming) return "batch is answered whole: leave stream out";
  if (!providers.includes(target.provider)) {
    const such = providers.length > 0 ? `a model of ${providers.join(" or ")}` : "another service tier";
    return `${target.provider} has no batches here; choose ${such}`;
  }
  // What was sent before is paid for, whatever the prices say now.
  if (parking.parked !== undefined || isPriced(target, context.startedAtMs)) return undefined;
  const names = pricedModels(target.provider);
  const such =
    names.length > 0 ? `a model that has one, such as ${names.slice(0, NAMED).join(", ")}` : "another";
  return `${target.provider}/${target.model} has no known price for batches; choose ${such}`;
}
