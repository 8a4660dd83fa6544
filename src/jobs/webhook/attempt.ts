/** One try to deliver one webhook, from the rules of this moment to what follows from the answer. It stores nothing. */
import { type Clock, elapsedMs } from "../../core/clock.ts";
import type { AfterDelivery, DeliveryRecord, WebhookRecord } from "../../core/outbox.ts";
import type { Resolve } from "../../wire/destination.ts";
import { secretProblem, urlProblem, type WebhookRules } from "./allow.ts";
import { post } from "./post.ts";
import { nextTryMs } from "./schedule.ts";
import { signatureHeaders } from "./sign.ts";

export interface AttemptOptions {
  readonly rules: WebhookRules;
  /** The body, as JSON; undefined when nobody knows any more what there was to tell. */
  render(webhook: WebhookRecord): Promise<string | undefined>;
  readonly resolve: Resolve;
  readonly clock: Clock;
  /** Draws from 0 up to 1. */
  random(): number;
  /** The gateway stops. */
  readonly signal: AbortSignal;
  /** Whether its host failed again and again, and has not answered since. */
  readonly hostFails: boolean;
  onError(error: unknown): void;
}

export interface Tried {
  readonly delivery: DeliveryRecord;
  readonly after: AfterDelivery;
  /** Undefined when the host was not asked. */
  readonly hostAnswers: boolean | undefined;
}

/** Longer than any pause of a host that fails, so that a young webhook asks it first. */
const OVERDUE_MS = 15 * 60_000;

/** Never rejects. */
export async function attempt(webhook: WebhookRecord, options: AttemptOptions): Promise<Tried> {
  const { rules, clock, signal } = options;
  const startedAtMs = clock.now();
  const { webhookId, attempts } = webhook;
  const untried = (error: string, after: AfterDelivery): Tried => {
    const latencyMs = elapsedMs(startedAtMs, clock.now());
    const delivery = { webhookId, attempt: attempts, startedAtMs, latencyMs, httpStatus: undefined, error };
    return { delivery, after, hostAnswers: undefined };
  };
  const later = (retryAfterMs?: number) => laterOrNever(webhook, startedAtMs, retryAfterMs, options);

  const problem = urlProblem(webhook.url, rules);
  if (problem !== undefined) return untried(`the callback_url ${problem}`, FAILED);
  if (options.hostFails && startedAtMs > webhook.sinceMs + rules.giveUpAfterMs + OVERDUE_MS)
    return untried("given up: its host has not answered for long", FAILED);
  const unsigned = secretProblem(rules);
  if (unsigned !== undefined) return untried(unsigned, later());
  let body: string | undefined;
  try {
    body = await options.render(webhook);
  } catch (error) {
    options.onError(error);
    return untried("the gateway could not read what there is to tell", later());
  }
  if (body === undefined) return untried("what there was to tell is not stored any more", FAILED);

  const headers = signatureHeaders(webhookId, startedAtMs, body, rules.secrets);
  const { httpStatus, error, retryAfterMs, latencyMs } = await post(
    { url: webhook.url, headers, body },
    options,
  );
  const delivery = { webhookId, attempt: attempts, startedAtMs, latencyMs, httpStatus, error };
  if (httpStatus === undefined && signal.aborted) {
    const stopped = { ...delivery, error: "the gateway was stopped before the receiver answered" };
    return { delivery: stopped, after: { state: "pending", dueAtMs: clock.now() }, hostAnswers: undefined };
  }
  const after = error === "" ? DELIVERED : httpStatus === GONE ? FAILED : later(retryAfterMs);
  return { delivery, after, hostAnswers: httpStatus !== undefined && !isOverloaded(httpStatus) };
}

const DELIVERED: AfterDelivery = { state: "delivered" };
const FAILED: AfterDelivery = { state: "failed" };
/** By Standard Webhooks: the receiver wants no more of this. */
const GONE = 410;

function laterOrNever(
  { attempts, sinceMs }: WebhookRecord,
  startedAtMs: number,
  retryAfterMs: number | undefined,
  { rules, clock, random }: AttemptOptions,
): AfterDelivery {
  const tried = { attempts, sinceMs, startedAtMs, endedAtMs: clock.now(), retryAfterMs };
  const dueAtMs = nextTryMs(tried, rules.giveUpAfterMs, random());
  return dueAtMs === undefined ? FAILED : { state: "pending", dueAtMs };
}

/** Whether a host has to be left alone. With other statuses only this URL, or this webhook, is not welcome. */
function isOverloaded(httpStatus: number): boolean {
  return httpStatus >= 500 || httpStatus === 429 || httpStatus === 408;
}
