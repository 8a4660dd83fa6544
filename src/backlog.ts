/** What is to be done while nobody waits: jobs and webhooks on the durable store, run and told until the gateway ends. */
import { durationMs } from "@bufbuild/protobuf/wkt";
import type { CompleteConfig } from "./config/defaults.ts";
import type { Environment } from "./config/environment.ts";
import { ConfigError } from "./config/error.ts";
import type { Service } from "./core/call.ts";
import type { Clock } from "./core/clock.ts";
import { Failure } from "./core/failure.ts";
import type { Jobs } from "./core/jobs.ts";
import { messageOf } from "./core/message.ts";
import type { Repeated } from "./core/repeat.ts";
import { createDesk } from "./jobs/desk.ts";
import type { Preview } from "./jobs/draft.ts";
import type { EndedRun } from "./jobs/held.ts";
import { createRunner, type Runner } from "./jobs/runner.ts";
import { sweepJobs } from "./jobs/sweep.ts";
import { Changes } from "./jobs/watch.ts";
import { callbackProblem } from "./jobs/webhook/allow.ts";
import { webhookBody } from "./jobs/webhook/body.ts";
import { type Attempted, createDeliveries, type Deliveries } from "./jobs/webhook/deliveries.ts";
import { webhookRulesOf } from "./jobs/webhook/rules.ts";
import type { Signals } from "./layers/record.ts";
import type { Store } from "./store/store.ts";
import { createJobMetrics, type JobMetrics, showJobs } from "./telemetry/jobs.ts";
import { systemResolve } from "./wire/destination.ts";

/** What follows from the configuration in force. */
export interface InForce {
  readonly config: CompleteConfig;
  readonly service: Service;
  readonly preview: Preview;
}

export interface BacklogOptions {
  readonly store: Store;
  readonly env: Environment;
  /** Asked anew each time, since a reload replaces it. */
  readonly inForce: () => InForce;
  readonly signals: Signals;
  readonly clock: Clock;
}

export interface Backlog {
  readonly jobs: Jobs;
  /** Lets runs and deliveries end within this time, and hands back what has not. */
  close(withinMs: number): Promise<void>;
}

/** How long a webhook under way may keep the gateway from ending. */
const DELIVERY_GRACE_MS = 2_000;

export function openBacklog({ store, env, inForce, signals, clock }: BacklogOptions): Backlog {
  const { logger, metrics } = signals;
  const counted = createJobMetrics(metrics.registry);
  const changes = new Changes();
  const settings = () => inForce().config.jobs;
  const resultTtlMs = () => durationMs(settings().resultTtl);
  const rules = () => webhookRulesOf(inForce().config.jobs.webhooks, env);
  const onError = (error: unknown) => {
    counted.errors.inc();
    logger.error({ err: error }, "the database of jobs did not answer");
  };
  const random = Math.random;
  let stopping = false;

  const deliveries = createDeliveries({
    outbox: store.outbox,
    render: (webhook) => webhookBody(webhook, { store: store.jobs, resultTtlMs }),
    rules,
    resolve: systemResolve,
    clock,
    random,
    graceMs: DELIVERY_GRACE_MS,
    onAttempt: (attempted) => countDelivery(attempted, counted, signals),
    onError,
  });
  const runner: Runner = createRunner({
    store: store.jobs,
    service: () => inForce().service,
    limits: settings,
    clock,
    random,
    onChanged(jobId) {
      counted.running.set(runner.running);
      changes.tell(jobId);
    },
    onRun(run) {
      countRun(run, counted, signals);
      if (run.end) deliveries.wake();
    },
    onError,
  });
  const sweeping = sweepJobs({
    store: store.jobs,
    clock,
    resultTtlMs,
    onExpired(jobs) {
      counted.ended.inc({ status: "expired" }, jobs);
      logger.warn({ jobs }, "jobs expired: they could not be begun in time");
      deliveries.wake();
    },
    onError,
  });
  showJobs(metrics.registry, () => figuresOf(store, durationMs(settings().stuckAfter), clock));

  const jobs = createDesk({
    store: store.jobs,
    outbox: store.outbox,
    clock,
    changes,
    preview: (request, context) => inForce().preview(request, context),
    limits: () => {
      const { maxStored, maxPending, maxJobBytes, startWithin } = settings();
      return {
        maxStored,
        maxPending,
        maxJobBytes,
        startWithinMs: durationMs(startWithin),
        resultTtlMs: resultTtlMs(),
      };
    },
    callbackProblem: (url) => callbackProblem(url, rules()),
    output: (jobId) => runner.output(jobId),
    stopping: () => stopping,
    onSubmitted(count) {
      counted.submitted.inc(count);
      runner.wake();
    },
    onChanged: () => deliveries.wake(),
  });
  return {
    jobs,
    close(withinMs) {
      stopping = true;
      return close(withinMs, runner, deliveries, sweeping);
    },
  };
}

/** @throws ConfigError when the secret in the environment is none */
export function checkSecrets(config: CompleteConfig, env: Environment): void {
  try {
    webhookRulesOf(config.jobs.webhooks, env);
  } catch (error) {
    const description = messageOf(error);
    throw new ConfigError([{ source: "environment", path: "", description }]);
  }
}

async function close(
  withinMs: number,
  runner: Runner,
  deliveries: Deliveries,
  sweeping: Repeated,
): Promise<void> {
  await runner.close(
    withinMs,
    () => new Failure("shutting_down", "the gateway is being stopped; another run follows"),
  );
  await Promise.all([deliveries.close(), sweeping.stop()]);
}

function countRun({ job, runMs, failure, end }: EndedRun, counted: JobMetrics, { logger }: Signals): void {
  const outcome = end ?? "again";
  counted.runs.inc({ outcome, kind: failure?.kind ?? "" });
  counted.runSeconds.observe({ outcome }, runMs / 1_000);
  if (end) counted.ended.inc({ status: end });
  const event = {
    job_id: job.jobId,
    batch_id: job.batchId || undefined,
    run: job.runs,
    principal: job.principal,
    tenant: job.tenant,
    outcome,
    failure_kind: failure?.kind,
    run_ms: runMs,
  };
  logger[end === "failed" ? "warn" : "info"](event, "job");
}

function countDelivery(
  { webhook, delivery, outcome, lagMs }: Attempted,
  counted: JobMetrics,
  { logger }: Signals,
): void {
  counted.deliveries.inc({ outcome });
  if (outcome === "delivered") counted.webhookLag.observe(lagMs / 1_000);
  const event = {
    webhook_id: webhook.webhookId,
    host: URL.parse(webhook.url)?.host,
    attempt: delivery.attempt,
    outcome,
    http_status: delivery.httpStatus,
    failure: delivery.error || undefined,
    latency_ms: delivery.latencyMs,
  };
  logger[outcome === "failed" ? "warn" : "info"](event, "webhook");
}

async function figuresOf({ jobs, outbox }: Store, stuckAfterMs: number, clock: Clock) {
  const nowMs = clock.now();
  const [stored, hooks] = await Promise.all([jobs.counts(nowMs - stuckAfterMs), outbox.counts()]);
  const secondsSince = (timeMs = nowMs) => Math.max(0, nowMs - timeMs) / 1_000;
  return {
    byState: stored.byState,
    oldestPendingSeconds: secondsSince(stored.oldestDueAtMs),
    stuck: stored.stuck,
    pendingWebhooks: hooks.pending,
    oldestWebhookSeconds: secondsSince(hooks.oldestCreatedAtMs),
  };
}
