/**
 * Asks the same target again after a failure of the provider that may pass: a few times, after a wait, and only as
 * far as that adds little to what the target has to bear.
 */
import { isBatch, type Layer, type RoutedCall, type Service, type Target } from "../core/call.ts";
import { type Clock, rest } from "../core/clock.ts";
import { type Failure, toFailure } from "../core/failure.ts";
import type { Reply } from "../core/reply.ts";
import { type Backoff, waitBefore } from "../resilience/backoff.ts";
import type { Share, ShareRule } from "../resilience/share.ts";
import type { Targets } from "../resilience/targets.ts";

export interface RetryRule extends Backoff {
  /** Tries after the first. */
  readonly max: number;
}

export interface RetrySettings {
  /** The rule for a kind of failure. */
  rule(kind: string): RetryRule;
  readonly budget: ShareRule;
}

export interface RetryMeans {
  settingsOf(target: Target): RetrySettings;
  /** What is left for retries at each target. */
  readonly budgets: Targets<Share>;
  /** Whether nothing is sent there, so that there is nothing to wait for. */
  isShut(target: Target): boolean;
  readonly clock: Clock;
  /** Draws from 0 up to 1. */
  readonly random: () => number;
  /** Told before each retry. */
  onRetry(call: RoutedCall, failure: Failure, waitMs: number): void;
  /** Told when a retry was not made since the target has had its share. */
  onSpent(call: RoutedCall): void;
}

/** With somebody else to ask, no longer wait than this is worth it. */
const MAX_WAIT_WITH_OTHERS_MS = 1_000;

export function retry(means: RetryMeans): Layer<RoutedCall> {
  return (next) => async (call) => {
    // A second attempt is the gateway's own, and gives no right to more of them.
    if (call.trigger !== "hedge") means.budgets.of(call.target).offered();
    try {
      return await next(call);
    } catch (error) {
      return again(call, toFailure(error), next, means);
    }
  };
}

async function again(
  call: RoutedCall,
  first: Failure,
  next: Service<RoutedCall>,
  means: RetryMeans,
): Promise<Reply> {
  const settings = means.settingsOf(call.target);
  let failure = first;
  for (let number = 1; ; number++) {
    const waitMs = worthIt(call, failure, number, settings, means);
    if (waitMs === undefined) throw failure;
    if (!means.budgets.of(call.target).take(settings.budget)) {
      means.onSpent(call);
      throw failure;
    }
    means.onRetry(call, failure, waitMs);
    await rest(means.clock, waitMs, call.signal);
    try {
      return await next({ ...call, trigger: "retry" });
    } catch (error) {
      failure = toFailure(error);
    }
  }
}

/** How long to wait before this retry; undefined when it is not to be made. */
function worthIt(
  call: RoutedCall,
  failure: Failure,
  number: number,
  settings: RetrySettings,
  { isShut, clock, random }: RetryMeans,
): number | undefined {
  const { kind, traits, suspended, retryAfterMs } = failure;
  if (!traits.retryable || traits.faultOf !== "provider" || kind === "circuit_open") return undefined;
  // A hedge is one more attempt already; what may lie in a provider's batch is taken up there, and not sent again.
  if (suspended || call.trigger === "hedge" || isBatch(call)) return undefined;
  if (call.signal.aborted || isShut(call.target)) return undefined;
  const rule = settings.rule(kind);
  if (number > Math.min(rule.max, wishOf(call) ?? rule.max)) return undefined;
  const waitMs = waitBefore(number, retryAfterMs, rule, random);
  if (waitMs === undefined) return undefined;
  if (call.alternatives.length > 0 && waitMs > MAX_WAIT_WITH_OTHERS_MS) return undefined;
  if (call.deadlineAtMs !== undefined && clock.now() + waitMs >= call.deadlineAtMs) return undefined;
  return waitMs;
}

function wishOf({ request }: RoutedCall): number | undefined {
  return request.$typeName === "llmgateway.v1.ChatRequest" ? request.resilience?.maxRetries : undefined;
}
