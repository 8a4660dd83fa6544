/** What callers can ask of jobs, as the fronts see it. How it is done they do not know. */
import type { ChatResponse } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import type {
  Batch,
  Job,
  JobEvent,
  ListBatchResultsRequest,
  ListBatchResultsResponse,
  ListJobsRequest,
  ListJobsResponse,
  ListWebhooksRequest,
  ListWebhooksResponse,
  SubmitBatchRequest,
  SubmitJobRequest,
  Webhook,
} from "../../gen/ts/llmgateway/v1/job_pb.ts";
import type { RequestContext } from "./call.ts";
import type { Owner } from "./job-store.ts";

/** Each throws a Failure: `not_found` for what is not the owner's, `jobs_unavailable` while the database is away. */
export interface Jobs {
  /** Resolves once the job is safe. */
  submit(request: SubmitJobRequest, context: RequestContext): Promise<Job>;
  get(jobId: string, owner: Owner): Promise<Job>;
  /** @throws Failure that the job failed with, or `job_not_ended`, `job_cancelled`, `job_expired`, `result_expired` */
  result(jobId: string, owner: Owner): Promise<ChatResponse>;
  list(request: ListJobsRequest, owner: Owner): Promise<ListJobsResponse>;
  cancel(jobId: string, owner: Owner): Promise<Job>;
  /** Ends after the job has, or throws the signal's reason. */
  watch(jobId: string, owner: Owner, signal: AbortSignal): AsyncIterable<readonly JobEvent[]>;
  submitBatch(request: SubmitBatchRequest, context: RequestContext): Promise<Batch>;
  batch(batchId: string, owner: Owner): Promise<Batch>;
  batchResults(request: ListBatchResultsRequest, owner: Owner): Promise<ListBatchResultsResponse>;
  cancelBatch(batchId: string, owner: Owner): Promise<Batch>;
  webhooks(request: ListWebhooksRequest, owner: Owner): Promise<ListWebhooksResponse>;
  webhook(webhookId: string, owner: Owner): Promise<Webhook>;
  redeliver(webhookId: string, owner: Owner): Promise<Webhook>;
}
