/** What a job came to, as its result tells it: the reply, or the failure that stands for it. */
import { fromBinary } from "@bufbuild/protobuf";
import { type ChatResponse, ChatResponseSchema } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { type Receipt, ReceiptSchema } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import { FAILURES, Failure, type FailureKind } from "../core/failure.ts";
import type { JobRecord } from "../core/job-store.ts";

/** When it is worth asking for the result again. */
const ASK_AGAIN_MS = 1_000;

/**
 * @param result what the job's end kept
 * @throws Failure that the job failed with, or that says why there is no reply
 */
export function replyOf(job: JobRecord, result: Uint8Array | undefined): ChatResponse {
  const { state, jobId } = job;
  switch (state) {
    case "completed":
      if (result) return fromBinary(ChatResponseSchema, result);
      throw new Failure(
        "result_expired",
        `the result of job ${jobId} was kept as long as results are, and is gone`,
      );
    case "failed":
      throw failureOf(job, result);
    case "cancelled":
      throw withReceipt(new Failure("job_cancelled", `job ${jobId} was cancelled`), result);
    case "expired":
      throw new Failure("job_expired", `job ${jobId} could not be begun in time; submit it again`);
    default:
      throw new Failure("job_not_ended", `job ${jobId} is ${state}; ask again, or watch it`, {
        retryAfterMs: ASK_AGAIN_MS,
      });
  }
}

export function receiptIn(result: Uint8Array | undefined): Receipt | undefined {
  return result && fromBinary(ReceiptSchema, result);
}

function failureOf({ failure }: JobRecord, result: Uint8Array | undefined): Failure {
  const { kind = "internal", message = "the job failed" } = failure ?? {};
  // A kind that an older or newer gateway stored may not be known here.
  const known = Object.hasOwn(FAILURES, kind) ? (kind as FailureKind) : "internal";
  return withReceipt(new Failure(known, message), result);
}

function withReceipt(failure: Failure, result: Uint8Array | undefined): Failure {
  failure.receipt = receiptIn(result);
  return failure;
}
