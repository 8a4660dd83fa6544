/**
 * One run of a job: makes the call as whoever submitted it, down the stack that every call takes, and says what the
 * run came to. What is kept of it is for the runner.
 */

import { randomUUIDv7 } from "node:crypto";
import { toBinary } from "@bufbuild/protobuf";
import {
  type ChatRequest,
  type ChatResponse,
  ChatResponseSchema,
} from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { ReceiptSchema } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import { beginCall } from "../core/begin.ts";
import {
  type Call,
  isBatch,
  type Parked,
  type Parking,
  type RequestContext,
  type Service,
} from "../core/call.ts";
import type { Clock } from "../core/clock.ts";
import { type Failure, toFailure } from "../core/failure.ts";
import type { JobRecord, RunCost, TakenJob } from "../core/job-store.ts";
import type { PicoUsd } from "../core/money.ts";
import { receiptOf } from "../core/receipt.ts";
import { fold } from "../core/reply.ts";
import { startJobSpan } from "../telemetry/trace.ts";
import type { Output } from "./output.ts";

export interface RunOptions {
  readonly service: Service;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly output: Output;
  /** Keeps what a run waits for outside of the process. */
  park(parked: string): Promise<void>;
}

export interface RunResult extends RunCost {
  /** Undefined when it was answered. */
  readonly failure: Failure | undefined;
  /** The ChatResponse, or the Receipt of what was spent. */
  readonly result: Uint8Array | undefined;
}

/** Never rejects. */
export async function runJob(taken: TakenJob, chat: ChatRequest, options: RunOptions): Promise<RunResult> {
  const call = callOf(taken, chat, options);
  const { span } = call.context;
  try {
    const reply = await options.service(call);
    const response: ChatResponse = await fold({
      ...reply,
      events: options.output.watch(reply.events),
    });
    return { failure: undefined, result: toBinary(ChatResponseSchema, response), ...costOf(call) };
  } catch (error) {
    const failure = toFailure(error);
    const receipt = failure.receipt ?? receiptOf(call);
    const result = receipt.attempts.length > 0 ? toBinary(ReceiptSchema, receipt) : undefined;
    return { failure, result, ...(failure.suspended ? costBefore(call) : costOf(call)) };
  } finally {
    span.end();
  }
}

/** What is parked outlasts the process, and so does the name under which its money is booked. */
interface ParkedCall extends Parked {
  readonly callId: string;
  readonly startedAtMs: number;
}

function callOf({ job, parked: text }: TakenJob, chat: ChatRequest, options: RunOptions): Call {
  const { clock, signal } = options;
  const parked: ParkedCall | undefined = text === undefined ? undefined : JSON.parse(text);
  const { callId, startedAtMs } = parked ?? { callId: randomUUIDv7(), startedAtMs: clock.now() };
  const parking: Parking = {
    parked,
    park: (attempt) => options.park(JSON.stringify({ ...attempt, callId, startedAtMs } satisfies ParkedCall)),
  };
  const context: RequestContext = {
    callId,
    requestId: job.jobId,
    startedAtMs,
    principal: job.principal,
    tenant: job.tenant,
    // What its key shares now is not what it shared then: its jobs share among themselves.
    cacheScope: `job:${job.principal}`,
    peer: "",
    protocol: "job",
    method: "Job",
    idempotencyKey: "",
    span: spanOf(callId, job),
    signal,
    deadlineAtMs: undefined,
    replyHeaders: new Map(),
  };
  // A stream, so that watchers see the words; the stack knows which models do not stream.
  return beginCall(chat, context, !isBatch({ request: chat }), parking);
}

function spanOf(callId: string, { jobId, runs, batchId, traceparent }: JobRecord) {
  return startJobSpan("llmgateway.job", callId, traceparent, {
    "llmgateway.request_id": jobId,
    "llmgateway.job.id": jobId,
    "llmgateway.job.run": runs,
    "llmgateway.job.batch_id": batchId || undefined,
  });
}

function costOf(call: Call): RunCost {
  return { costPicoUsd: receiptOf(call).cost?.actualPicoUsd as PicoUsd | undefined };
}

/** Without what goes on elsewhere, which is told where it ends. */
function costBefore(call: Call): RunCost {
  const attempts = call.tally.attempts.filter(({ outcome }) => outcome !== "pending");
  return costOf({ ...call, tally: { ...call.tally, attempts } });
}
