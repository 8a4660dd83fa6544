/**
 * Stands around each attempt: has its money held ready and its row begun before it is sent, and settles both
 * afterwards, whatever became of it.
 */
import type { Attempt } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import {
  type AttemptCall,
  isBatch,
  type Layer,
  operationOf,
  type Parking,
  type RoutedCall,
} from "../core/call.ts";
import type { Clock } from "../core/clock.ts";
import { type Failure, toFailure } from "../core/failure.ts";
import { unsent } from "../core/failure-anew.ts";
import type { Lag } from "../core/lag.ts";
import { redact } from "../core/redact.ts";
import { routeName } from "../core/route-name.ts";
import { nameOf } from "../core/target.ts";
import type { Ledger } from "../cost/ledger.ts";
import type { Means } from "../cost/means.ts";
import { Metered, type Recount } from "../cost/metered.ts";
import { type Plan, planAttempt } from "../cost/plan.ts";

export interface Accounts extends Means {
  /** Undefined when nothing is booked. */
  readonly ledger: Ledger | undefined;
  readonly clock: Clock;
  readonly lag: Pick<Lag, "ms">;
  /** Told of each attempt when it is sent. */
  readonly onSent: (attempt: Attempt) => void;
  /** Told of a stream when it has brought its first word. */
  readonly onSpoke: (attempt: Attempt, call: RoutedCall) => void;
  /** Told of each attempt once it has ended and is priced. Where it was parked, its call's `parking` says so by then. */
  readonly onSettled: (attempt: Attempt, call: RoutedCall, failure: Failure | undefined) => void;
}

export function meter(accounts: Accounts): Layer<RoutedCall, AttemptCall> {
  return (next) => async (asked) => {
    const call = asked.parking ? { ...asked, parking: aware(asked.parking) } : asked;
    const plan = await planAttempt(call, accounts);
    const metered = begin(call, plan, accounts);
    const { attempt } = metered;
    call.begun?.(attempt);
    try {
      await begun(call, plan, attempt, accounts)?.catch((reason: unknown) => {
        throw unsent(reason, "it was still waiting for its row in the ledger");
      });
      const { maxTokens, model, startedAtMs: attemptedAtMs } = plan;
      accounts.onSent(attempt);
      const reply = await next({
        ...call,
        attempt,
        attemptedAtMs,
        maxTokens,
        modelMaxTokens: model?.maxOutputTokens,
      });
      if (call.streaming) accounts.onSpoke(attempt, call);
      return { ...reply, events: metered.watch(reply.events) };
    } catch (error) {
      metered.settle(toFailure(error));
      throw error;
    }
  };
}

/** Knows of what is parked from then on, too. */
function aware(parking: Parking): Parking {
  let { parked } = parking;
  return {
    get parked() {
      return parked;
    },
    async park(where) {
      await parking.park(where);
      parked = where;
    },
  };
}

function begin(call: RoutedCall, plan: Plan, accounts: Accounts): Metered {
  const { pricing, ledger, clock, lag, lengths, onSettled } = accounts;
  const { callId } = call.context;
  return new Metered({
    call,
    plan,
    priceVersion: pricing.version,
    clock,
    lag,
    recount: recountOf(call, plan, accounts),
    lengths,
    onSettled: (attempt, bytes, failure) => {
      learn(plan, attempt, bytes, accounts);
      ledger?.settle({ callId, settledAtMs: clock.now(), attempt });
      onSettled(attempt, call, failure);
    },
  });
}

function learn(
  { target, estimate, demand }: Plan,
  { usage, outcome }: Attempt,
  bytes: number,
  means: Means,
): void {
  if (usage?.provenance !== "measured" || outcome !== "ok") return;
  means.inputs.observe(estimate, target, usage.inputTokens);
  means.caches.observe(nameOf(target), demand.cacheWrites, usage);
  if (demand.answers === 0) return;
  means.outputs.observe(demand.answersLike, usage.outputTokens / demand.answers);
  means.lengths.observe(demand.answersLike, bytes, usage.outputTokens);
}

function recountOf({ request }: RoutedCall, { target }: Plan, { tokenizer }: Means): Recount | undefined {
  if (!tokenizer.knows(target)) return undefined;
  return async (said) => {
    const inputTokens = await tokenizer.countInput(request, target);
    const outputTokens = await tokenizer.count([said], target);
    return { inputTokens, outputTokens };
  };
}

/** Resolves once the attempt may be sent: with a hard budget, when its row is safe. */
function begun(
  call: RoutedCall,
  { bounded, model, startedAtMs }: Plan,
  attempt: Attempt,
  { ledger }: Accounts,
): Promise<void> | undefined {
  const { context, labels, signal, tally } = call;
  const { callId, requestId, tenant, principal } = context;
  // A model that nobody knows may be anything, a key included.
  const kept = model ? attempt : { ...attempt, model: redact(attempt.model) };
  const payer = { tenant, principal, tags: labels };
  const { experiment } = tally;
  const variant = experiment ? `${experiment.name}/${experiment.variant}` : "";
  const which = { operation: operationOf(call), route: routeName(tally.route), variant };
  const intent = {
    ...payer,
    ...which,
    callId,
    requestId,
    startedAtMs,
    attempt: kept,
    patient: isBatch(call),
  };
  return ledger?.open(intent, { durable: bounded, signal });
}
