/** What each RPC about jobs does: hands the request on, with whose it is. */
import type { DescMethod, Message } from "@bufbuild/protobuf";
import { GatewayService } from "../../gen/ts/llmgateway/v1/gateway_pb.ts";
import type {
  CancelBatchRequest,
  CancelJobRequest,
  GetBatchRequest,
  GetJobRequest,
  GetJobResultRequest,
  GetWebhookRequest,
  ListBatchResultsRequest,
  ListJobsRequest,
  ListWebhooksRequest,
  RedeliverWebhookRequest,
  SubmitBatchRequest,
  SubmitJobRequest,
  WatchJobRequest,
} from "../../gen/ts/llmgateway/v1/job_pb.ts";
import type { RequestContext } from "../core/call.ts";
import type { Jobs } from "../core/jobs.ts";
import type { Handler } from "./door.ts";

export function jobHandlers(jobs: Jobs): [DescMethod, Handler][] {
  const rpc = GatewayService.method;
  const unary = <Request extends Message>(
    method: DescMethod,
    answer: (request: Request, context: RequestContext) => Promise<Message>,
  ): [DescMethod, Handler] => [
    method,
    async (message, context) => ({ message: await answer(message as Request, context) }),
  ];
  return [
    unary<SubmitJobRequest>(rpc.submitJob, (request, context) => jobs.submit(request, context)),
    unary<GetJobRequest>(rpc.getJob, ({ jobId }, owner) => jobs.get(jobId, owner)),
    unary<GetJobResultRequest>(rpc.getJobResult, ({ jobId }, owner) => jobs.result(jobId, owner)),
    unary<ListJobsRequest>(rpc.listJobs, (request, owner) => jobs.list(request, owner)),
    unary<CancelJobRequest>(rpc.cancelJob, ({ jobId }, owner) => jobs.cancel(jobId, owner)),
    [
      rpc.watchJob,
      async (message, context) => ({
        batches: jobs.watch((message as WatchJobRequest).jobId, context, context.signal),
      }),
    ],
    unary<SubmitBatchRequest>(rpc.submitBatch, (request, context) => jobs.submitBatch(request, context)),
    unary<GetBatchRequest>(rpc.getBatch, ({ batchId }, owner) => jobs.batch(batchId, owner)),
    unary<ListBatchResultsRequest>(rpc.listBatchResults, (request, owner) =>
      jobs.batchResults(request, owner),
    ),
    unary<CancelBatchRequest>(rpc.cancelBatch, ({ batchId }, owner) => jobs.cancelBatch(batchId, owner)),
    unary<ListWebhooksRequest>(rpc.listWebhooks, (request, owner) => jobs.webhooks(request, owner)),
    unary<GetWebhookRequest>(rpc.getWebhook, ({ webhookId }, owner) => jobs.webhook(webhookId, owner)),
    unary<RedeliverWebhookRequest>(rpc.redeliverWebhook, ({ webhookId }, owner) =>
      jobs.redeliver(webhookId, owner),
    ),
  ];
}
