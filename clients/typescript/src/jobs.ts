/** What the client offers of jobs, batches and webhooks, each as its RPC has it. It does not know how long a job takes. */
import type { DescMessage, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type { Client, CallOptions as RpcOptions } from "@connectrpc/connect";
import type { ChatResponse } from "../../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { GatewayService } from "../../../gen/ts/llmgateway/v1/gateway_pb.ts";
import {
  type Batch,
  CancelBatchRequestSchema,
  CancelJobRequestSchema,
  GetBatchRequestSchema,
  GetJobRequestSchema,
  GetJobResultRequestSchema,
  GetWebhookRequestSchema,
  type Job,
  type JobEvent,
  ListBatchResultsRequestSchema,
  type ListBatchResultsResponse,
  ListJobsRequestSchema,
  type ListJobsResponse,
  ListWebhooksRequestSchema,
  type ListWebhooksResponse,
  RedeliverWebhookRequestSchema,
  SubmitBatchRequestSchema,
  SubmitJobRequestSchema,
  type WatchJobRequestSchema,
  type Webhook,
} from "../../../gen/ts/llmgateway/v1/job_pb.ts";
import type { CallOptions, CallSettings } from "./call.ts";
import { submitAndWait, type WaitOptions } from "./wait.ts";
import { watchJob } from "./watch.ts";

type Request<Schema extends DescMessage> = MessageInitShape<Schema>;

/** What can be asked of the gateway for later. Everything that fails does so with a GatewayError. */
export interface Jobs {
  /** Takes a conversation to be continued while nobody waits. */
  submitJob(request: Request<typeof SubmitJobRequestSchema>, options?: CallOptions): Promise<Job>;
  /**
   * Submits a job once, and gives its reply when it has completed. A job that failed rejects as `chat` would have; one
   * that was cancelled or expired has the kind `job_cancelled` or `job_expired`. Connections that break are made again,
   * and a gateway that is away is waited for, up to five minutes at a time.
   */
  submitAndWait(
    request: Request<typeof SubmitJobRequestSchema>,
    options?: WaitOptions,
  ): Promise<ChatResponse>;
  /** Tells what has become of a job. */
  getJob(request: Request<typeof GetJobRequestSchema>, options?: CallOptions): Promise<Job>;
  /** The reply of a job that has completed, as `chat` would have given it. */
  getJobResult(
    request: Request<typeof GetJobResultRequestSchema>,
    options?: CallOptions,
  ): Promise<ChatResponse>;
  /** Lists the caller's jobs, the newest first. */
  listJobs(request?: Request<typeof ListJobsRequestSchema>, options?: CallOptions): Promise<ListJobsResponse>;
  /** Ends a job; its status follows within seconds. */
  cancelJob(request: Request<typeof CancelJobRequestSchema>, options?: CallOptions): Promise<Job>;
  /**
   * Tells what becomes of a job as it happens, until it has ended. Nothing is sent until it is read. Where the
   * connection breaks it is made again, and no word is told twice; other pieces of the answer, such as tool calls,
   * then may be. Only `timeoutMs` of these options limits it.
   */
  watchJob(
    request: Request<typeof WatchJobRequestSchema>,
    options?: CallOptions,
  ): AsyncGenerator<JobEvent, void, undefined>;
  /** Takes many conversations at once; all of them or none. */
  submitBatch(request: Request<typeof SubmitBatchRequestSchema>, options?: CallOptions): Promise<Batch>;
  /** Tells how far a batch has come. */
  getBatch(request: Request<typeof GetBatchRequestSchema>, options?: CallOptions): Promise<Batch>;
  /** The results of a batch, as far as there are any. */
  listBatchResults(
    request: Request<typeof ListBatchResultsRequestSchema>,
    options?: CallOptions,
  ): Promise<ListBatchResultsResponse>;
  /** Cancels every job of a batch that has not ended. */
  cancelBatch(request: Request<typeof CancelBatchRequestSchema>, options?: CallOptions): Promise<Batch>;
  /** Lists the caller's webhooks, the newest first. */
  listWebhooks(
    request?: Request<typeof ListWebhooksRequestSchema>,
    options?: CallOptions,
  ): Promise<ListWebhooksResponse>;
  /** A webhook, with every try to deliver it. */
  getWebhook(request: Request<typeof GetWebhookRequestSchema>, options?: CallOptions): Promise<Webhook>;
  /** Delivers a webhook once more, whatever became of it before. */
  redeliverWebhook(
    request: Request<typeof RedeliverWebhookRequestSchema>,
    options?: CallOptions,
  ): Promise<Webhook>;
}

/** Makes a unary call, with its retries. */
export type Unary = <Schema extends DescMessage, Reply>(
  schema: Schema,
  send: (message: MessageShape<Schema>, options: RpcOptions) => Promise<Reply>,
  request: MessageInitShape<Schema>,
  options: CallOptions,
  settings?: CallSettings,
) => Promise<Reply>;

export function jobsOver(rpc: Client<typeof GatewayService>, unary: Unary, settings: CallSettings): Jobs {
  /** The methods whose request is all that they are told. */
  const thin =
    <Schema extends DescMessage, Reply>(
      schema: Schema,
      send: (message: MessageShape<Schema>, options: RpcOptions) => Promise<Reply>,
    ) =>
    (request: MessageInitShape<Schema>, options: CallOptions = {}) =>
      unary(schema, send, request, options);
  const listJobs = thin(ListJobsRequestSchema, rpc.listJobs);
  const listWebhooks = thin(ListWebhooksRequestSchema, rpc.listWebhooks);
  const jobs: Jobs = {
    submitJob: (request, options = {}) =>
      unary(SubmitJobRequestSchema, rpc.submitJob, request, options, { ...settings, isForLater: true }),
    submitAndWait: (request, options = {}) => submitAndWait(rpc, jobs, settings, request, options),
    getJob: thin(GetJobRequestSchema, rpc.getJob),
    getJobResult: thin(GetJobResultRequestSchema, rpc.getJobResult),
    listJobs: (request = {}, options) => listJobs(request, options),
    cancelJob: thin(CancelJobRequestSchema, rpc.cancelJob),
    watchJob: (request, options = {}) => watchJob(rpc, settings, request, options),
    submitBatch: thin(SubmitBatchRequestSchema, rpc.submitBatch),
    getBatch: thin(GetBatchRequestSchema, rpc.getBatch),
    listBatchResults: thin(ListBatchResultsRequestSchema, rpc.listBatchResults),
    cancelBatch: thin(CancelBatchRequestSchema, rpc.cancelBatch),
    listWebhooks: (request = {}, options) => listWebhooks(request, options),
    getWebhook: thin(GetWebhookRequestSchema, rpc.getWebhook),
    redeliverWebhook: thin(RedeliverWebhookRequestSchema, rpc.redeliverWebhook),
  };
  return jobs;
}
