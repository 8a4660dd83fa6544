/** A job as if it were a call: submitted, watched, and its reply fetched. It knows the order of these, and no transport. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { Client } from "@connectrpc/connect";
import type { ChatResponse } from "../../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { GatewayService } from "../../../gen/ts/llmgateway/v1/gateway_pb.ts";
import {
  GetJobResultRequestSchema,
  type Job,
  type JobEvent,
  JobEventSchema,
  type SubmitJobRequestSchema,
} from "../../../gen/ts/llmgateway/v1/job_pb.ts";
import { Call, type CallOptions, type CallSettings, newId } from "./call.ts";
import { GatewayError } from "./error.ts";
import type { Jobs } from "./jobs.ts";
import { Patience } from "./patience.ts";
import { watchJob } from "./watch.ts";

/** How a job is waited for. */
export interface WaitOptions extends Omit<CallOptions, "requestId"> {
  /** The most time to wait, from the submission to the reply; none by default. The job goes on after it. */
  readonly timeoutMs?: number | undefined;
  /** Told of all that happens to the job; the first event has the job as it was submitted, with its `jobId`. */
  readonly onEvent?: ((event: JobEvent) => void) | undefined;
  /** Whether `signal` and `timeoutMs` end the job too, and not the wait alone; false by default. */
  readonly cancelOnAbort?: boolean | undefined;
}

/** The longest that a caller who leaves waits for the gateway to take note of it. */
const CANCEL_WITHIN_MS = 5_000;

export async function submitAndWait(
  rpc: Client<typeof GatewayService>,
  jobs: Jobs,
  settings: CallSettings,
  request: MessageInitShape<typeof SubmitJobRequestSchema>,
  { onEvent, cancelOnAbort = false, timeoutMs, ...options }: WaitOptions,
): Promise<ChatResponse> {
  const { clock } = settings;
  const deadlineMs = timeoutMs === undefined ? undefined : clock.now() + timeoutMs;
  const bounded = (): CallOptions =>
    deadlineMs === undefined ? options : { ...options, timeoutMs: Math.max(1, deadlineMs - clock.now()) };
  // Sent again it is the same job.
  const job = await jobs.submitJob(
    { ...request, idempotencyKey: request.idempotencyKey || newId() },
    bounded(),
  );
  try {
    onEvent?.(create(JobEventSchema, { job }));
    for await (const event of watchJob(rpc, settings, { jobId: job.jobId }, bounded(), true))
      onEvent?.(event);
    return await fetchResult(rpc, settings, job, bounded());
  } catch (failure) {
    // The gateway knows the deadline too, and can be the first to see it pass.
    const isDeadline = failure instanceof GatewayError && failure.kind === "deadline_exceeded";
    const isLate = deadlineMs !== undefined && (isDeadline || clock.now() >= deadlineMs);
    const isOver = options.signal?.aborted || isLate;
    if (cancelOnAbort && isOver) await cancel(jobs, job, options);
    throw failure;
  }
}

async function fetchResult(
  rpc: Client<typeof GatewayService>,
  settings: CallSettings,
  { jobId }: Job,
  options: CallOptions,
): Promise<ChatResponse> {
  const call = new Call(GetJobResultRequestSchema, { jobId }, options, { ...settings, timeoutMs: undefined });
  const patience = new Patience(call, settings.clock, true);
  try {
    for (;;) {
      try {
        return await rpc.getJobResult(call.message, call.attempt());
      } catch (cause) {
        await patience.after(call.failure(cause));
      }
    }
  } finally {
    call.close();
  }
}

/** The wait has failed already, and that is what the caller is told. */
async function cancel(jobs: Jobs, { jobId }: Job, { headers }: CallOptions): Promise<void> {
  await jobs.cancelJob({ jobId }, { headers, timeoutMs: CANCEL_WITHIN_MS }).catch(() => {});
}
