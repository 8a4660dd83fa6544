/** Jobs and webhooks as metrics: what is stored is asked for when the metrics are, the rest is counted as it happens. */
import { Counter, Gauge, Histogram, type Registry } from "prom-client";

export interface JobMetrics {
  readonly submitted: Counter;
  readonly ended: Counter<"status">;
  readonly runs: Counter<"outcome" | "kind">;
  readonly runSeconds: Histogram<"outcome">;
  readonly running: Gauge;
  readonly errors: Counter;
  readonly deliveries: Counter<"outcome">;
  readonly webhookLag: Histogram;
}

/** What the store has of them. */
export interface JobFigures {
  readonly byState: Readonly<Record<string, number>>;
  readonly oldestPendingSeconds: number;
  readonly stuck: number;
  readonly pendingWebhooks: number;
  readonly oldestWebhookSeconds: number;
}

export function createJobMetrics(registry: Registry): JobMetrics {
  const registers = [registry];
  return {
    submitted: new Counter({ name: "llm_jobs_submitted_total", help: "Jobs that were stored.", registers }),
    ended: new Counter({
      name: "llm_jobs_ended_total",
      help: "Jobs that came to their end by a run of this process, or expired, by their final status.",
      labelNames: ["status"],
      registers,
    }),
    runs: new Counter({
      name: "llm_job_runs_total",
      help: "Runs of jobs that ended, by what became of them and by the kind of their failure.",
      labelNames: ["outcome", "kind"],
      registers,
    }),
    runSeconds: new Histogram({
      name: "llm_job_run_seconds",
      help: "How long runs of jobs took.",
      labelNames: ["outcome"],
      buckets: [0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1_800, 3_600, 14_400, 86_400],
      registers,
    }),
    running: new Gauge({
      name: "llm_jobs_running_here",
      help: "Runs of jobs under way in this process.",
      registers,
    }),
    errors: new Counter({
      name: "llm_job_store_errors_total",
      help: "Times that the database of jobs did not answer, and was asked again.",
      registers,
    }),
    deliveries: new Counter({
      name: "llm_webhook_deliveries_total",
      help: "Tries to deliver a webhook: delivered, to be tried again, or given up.",
      labelNames: ["outcome"],
      registers,
    }),
    webhookLag: new Histogram({
      name: "llm_webhook_lag_seconds",
      help: "From the end of a job or batch until its webhook was delivered.",
      buckets: [0.1, 0.5, 1, 5, 15, 60, 300, 1_800, 7_200, 21_600, 86_400],
      registers,
    }),
  };
}

type Show = (gauge: Gauge<"status">, figures: JobFigures) => void;

const GAUGES: readonly (readonly [name: string, help: string, show: Show])[] = [
  [
    "llm_jobs",
    "Jobs that are stored, by their status.",
    (gauge, { byState }) => {
      for (const [status, jobs] of Object.entries(byState)) gauge.set({ status }, jobs);
    },
  ],
  [
    "llm_job_oldest_pending_seconds",
    "How long the oldest job that is due has waited; 0 when none does.",
    (gauge, { oldestPendingSeconds }) => gauge.set(oldestPendingSeconds),
  ],
  [
    "llm_jobs_stuck",
    "Jobs whose run takes longer than jobs.stuck_after.",
    (gauge, { stuck }) => gauge.set(stuck),
  ],
  [
    "llm_webhooks_pending",
    "Webhooks that are not delivered yet.",
    (gauge, { pendingWebhooks }) => gauge.set(pendingWebhooks),
  ],
  [
    "llm_webhook_oldest_pending_seconds",
    "How long ago the job ended whose webhook has waited the longest; 0 when none waits.",
    (gauge, { oldestWebhookSeconds }) => gauge.set(oldestWebhookSeconds),
  ],
];

/** @param figures asked once for all of them; while it rejects they are absent */
export function showJobs(registry: Registry, figures: () => Promise<JobFigures>): void {
  let asked: Promise<JobFigures | undefined> | undefined;
  const once = () => {
    asked ??= figures()
      .catch(() => undefined)
      .finally(() => {
        asked = undefined;
      });
    return asked;
  };
  for (const [name, help, show] of GAUGES) {
    new Gauge({
      name,
      help,
      labelNames: ["status"],
      registers: [registry],
      async collect() {
        const known = await once();
        this.reset();
        if (known) show(this, known);
      },
    });
  }
}
