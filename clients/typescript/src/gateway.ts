/** The client over any transport: what it offers, and how an RPC becomes a call. It imports no transport itself. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { createClient, type Interceptor, type Transport } from "@connectrpc/connect";
import { AdminService } from "../../../gen/ts/llmgateway/v1/admin_pb.ts";
import { ChatRequestSchema, type ChatResponse } from "../../../gen/ts/llmgateway/v1/chat_pb.ts";
import { type CompareEvent, CompareRequestSchema } from "../../../gen/ts/llmgateway/v1/compare_pb.ts";
import { EmbedRequestSchema, type EmbedResponse } from "../../../gen/ts/llmgateway/v1/embed_pb.ts";
import {
  RecordFeedbackRequestSchema,
  type RecordFeedbackResponse,
} from "../../../gen/ts/llmgateway/v1/experiment_pb.ts";
import {
  type DryRunResponse,
  GatewayService,
  GetStatusRequestSchema,
  type GetStatusResponse,
  ListModelsRequestSchema,
  type ListModelsResponse,
} from "../../../gen/ts/llmgateway/v1/gateway_pb.ts";
import {
  ListTemplatesRequestSchema,
  type ListTemplatesResponse,
  RenderTemplateRequestSchema,
  type RenderTemplateResponse,
} from "../../../gen/ts/llmgateway/v1/template_pb.ts";
import { type Admin, adminOver } from "./admin.ts";
import { Call, type CallOptions, type CallSettings, markSent } from "./call.ts";
import { type Clock, systemClock } from "./clock.ts";
import { eventsOf } from "./events.ts";
import { type Jobs, jobsOver, type Unary } from "./jobs.ts";
import { type ApiKey, withKey } from "./key.ts";
import { type RetryOptions, withRetry } from "./retry.ts";
import { GatewayStream } from "./stream.ts";

export { Code, type Interceptor } from "@connectrpc/connect";
export type { BadRequest_FieldViolation } from "../../../gen/ts/google/rpc/error_details_pb.ts";
export type {
  Adjustment,
  BookAdjustmentsResponse,
  ListAdjustmentsResponse,
} from "../../../gen/ts/llmgateway/v1/adjustment_pb.ts";
export type {
  CacheEvictions,
  CacheKindStats,
  CacheModelStats,
  Circuit,
  ClearCacheRequest,
  ClearCacheResponse,
  GetCacheStatsResponse,
  ListCircuitsResponse,
  WarmCacheRequest,
  WarmCacheResponse,
  WarmCacheTotals,
  WarmedRequest,
} from "../../../gen/ts/llmgateway/v1/admin_pb.ts";
export type {
  ChatRequest,
  ChatResponse,
  Choice,
  StreamResponse,
  ToolCallDelta,
} from "../../../gen/ts/llmgateway/v1/chat_pb.ts";
export type {
  CompareEvent,
  CompareRequest,
  CompareTotals,
} from "../../../gen/ts/llmgateway/v1/compare_pb.ts";
export type { Embedding, EmbedRequest, EmbedResponse } from "../../../gen/ts/llmgateway/v1/embed_pb.ts";
export type {
  Experiment,
  GetExperimentsResponse,
  RecordFeedbackRequest,
  RecordFeedbackResponse,
  ShadowFigures,
  VariantFigures,
} from "../../../gen/ts/llmgateway/v1/experiment_pb.ts";
export type {
  DryRunResponse,
  GetStatusResponse,
  ListModelsResponse,
  Model,
  ProviderStatus,
} from "../../../gen/ts/llmgateway/v1/gateway_pb.ts";
export type {
  Batch,
  BatchItem,
  BatchResult,
  Job,
  JobEvent,
  JobFailure,
  ListBatchResultsResponse,
  ListJobsResponse,
  ListWebhooksResponse,
  SubmitBatchRequest,
  SubmitJobRequest,
  Webhook,
  WebhookDelivery,
} from "../../../gen/ts/llmgateway/v1/job_pb.ts";
export type {
  Media,
  Message,
  Parameters,
  Part,
  Reasoning,
  ResponseFormat,
  Tool,
  ToolCall,
  ToolResult,
} from "../../../gen/ts/llmgateway/v1/message_pb.ts";
export type {
  Attempt,
  Cost,
  Receipt,
  Route,
  TemplateUse,
  Usage,
} from "../../../gen/ts/llmgateway/v1/receipt_pb.ts";
export type { RepricedRow, RepriceResponse } from "../../../gen/ts/llmgateway/v1/reprice_pb.ts";
export type {
  ListTemplatesResponse,
  RenderTemplateResponse,
  Template,
  TemplateVariable,
  TemplateVersion,
} from "../../../gen/ts/llmgateway/v1/template_pb.ts";
export type {
  DeleteRequestTextsResponse,
  GetRequestResponse,
  GetUsageResponse,
  ListRequestsResponse,
  RecordedAttempt,
  RequestSummary,
  RequestText,
  UsageRow,
} from "../../../gen/ts/llmgateway/v1/usage_pb.ts";
export type { Admin } from "./admin.ts";
export type { CallOptions } from "./call.ts";
export type { Clock } from "./clock.ts";
export { GatewayError } from "./error.ts";
export type { Jobs } from "./jobs.ts";
export type { ApiKey } from "./key.ts";
export type { Retry, RetryOptions } from "./retry.ts";
export type { GatewayStream } from "./stream.ts";
export type { WaitOptions } from "./wait.ts";

/** The protocol of the calls. All three have the same messages, costs and errors; gRPC needs Node. */
export type TransportName = "connect" | "grpc" | "grpc-web";

/** How a client is made. */
export interface GatewayOptions {
  /** Where the gateway is, such as `https://gateway.example`. */
  readonly baseUrl: string;
  /** Sent as `Authorization: Bearer KEY`. A function is asked before each attempt, so that keys may change. */
  readonly apiKey?: ApiKey | undefined;
  /** The protocol; `connect` by default. */
  readonly transport?: TransportName | undefined;
  /** Connect's interceptors, the first one outermost. They see each attempt, and not the key. */
  readonly interceptors?: readonly Interceptor[] | undefined;
  /** When a call that failed is made again; `false` for never. */
  readonly retry?: RetryOptions | false | undefined;
  /** The most time that a call may take, its retries included. Without it, the gateway's own limits hold. */
  readonly timeoutMs?: number | undefined;
  /** For tests of what waits. */
  readonly clock?: Clock | undefined;
}

/** What can be asked of the gateway. Everything that fails does so with a GatewayError. */
export interface Gateway extends Jobs, Admin {
  /** Continues a conversation, and answers when the answer is complete: with its `cost` and its `attempts`. */
  chat(request: MessageInitShape<typeof ChatRequestSchema>, options?: CallOptions): Promise<ChatResponse>;
  /** Continues a conversation, and answers as the words come. */
  stream(request: MessageInitShape<typeof ChatRequestSchema>, options?: CallOptions): GatewayStream;
  /**
   * Has several models continue a conversation at once, and tells the words of each as they come; one that fails does
   * not end the others. The last event has `totals`. Nothing is sent until it is read, and it is sent once. A reader who
   * leaves the loop ends all of it.
   */
  compare(
    request: MessageInitShape<typeof CompareRequestSchema>,
    options?: CallOptions,
  ): AsyncGenerator<CompareEvent, void, undefined>;
  /** Tells what would become of a chat, and about what it would cost, and has nobody answer it. */
  dryRun(request: MessageInitShape<typeof ChatRequestSchema>, options?: CallOptions): Promise<DryRunResponse>;
  /** Makes a vector of each text in `input`. */
  embed(request: MessageInitShape<typeof EmbedRequestSchema>, options?: CallOptions): Promise<EmbedResponse>;
  /** Tells how good an answer was, for the experiment that it was part of. */
  recordFeedback(
    request: MessageInitShape<typeof RecordFeedbackRequestSchema>,
    options?: CallOptions,
  ): Promise<RecordFeedbackResponse>;
  /** Lists the models that can be asked for, with their prices. */
  listModels(
    request?: MessageInitShape<typeof ListModelsRequestSchema>,
    options?: CallOptions,
  ): Promise<ListModelsResponse>;
  /** Lists the templates that a chat can name in `template`; with a name, all of that one. */
  listTemplates(
    request?: MessageInitShape<typeof ListTemplatesRequestSchema>,
    options?: CallOptions,
  ): Promise<ListTemplatesResponse>;
  /** Fills a template, as a chat that names it would be made of it, and asks nobody. */
  renderTemplate(
    request: MessageInitShape<typeof RenderTemplateRequestSchema>,
    options?: CallOptions,
  ): Promise<RenderTemplateResponse>;
  /** Tells which providers can be called, and why the others cannot. */
  getStatus(
    request?: MessageInitShape<typeof GetStatusRequestSchema>,
    options?: CallOptions,
  ): Promise<GetStatusResponse>;
}

/** What a transport is made of. */
export interface TransportOptions {
  readonly baseUrl: string;
  readonly interceptors: Interceptor[];
  readonly useBinaryFormat: true;
}

/** Makes a transport; throws where this platform cannot have it. */
export type Transports = Readonly<Record<TransportName, (options: TransportOptions) => Transport>>;

export function gatewayOver(transports: Transports, options: GatewayOptions): Gateway {
  const { transport: name = "connect", interceptors = [], apiKey = "", retry = {} } = options;
  if (!Object.hasOwn(transports, name)) {
    throw new TypeError(`transport: there is no "${name}"; choose "connect", "grpc-web" or "grpc"`);
  }
  const settings: CallSettings = {
    baseUrl: checkedUrl(options.baseUrl),
    timeoutMs: options.timeoutMs,
    timeoutHeader: name === "connect" ? "connect-timeout-ms" : "grpc-timeout",
    clock: options.clock ?? systemClock,
  };
  const transport = transports[name]({
    baseUrl: settings.baseUrl,
    interceptors: [...interceptors, withKey(apiKey), markSent],
    useBinaryFormat: true,
  });
  const rpc = createClient(GatewayService, transport);
  const admin = createClient(AdminService, transport);

  const unary: Unary = async (schema, send, request, callOptions, over = settings) => {
    const call = new Call(schema, request, callOptions, over);
    try {
      return await withRetry(call, retry, () => send(call.message, call.attempt()));
    } finally {
      call.close();
    }
  };

  return {
    chat: (request, callOptions = {}) => unary(ChatRequestSchema, rpc.chat, request, callOptions),
    stream: (request, callOptions = {}) =>
      new GatewayStream((leaving) => {
        const signals = callOptions.signal ? [callOptions.signal, leaving] : [leaving];
        const signal = AbortSignal.any(signals);
        const call = new Call(ChatRequestSchema, request, { ...callOptions, signal }, settings);
        const first = withRetry(call, retry, async () => {
          const rest = rpc.stream(call.message, call.attempt())[Symbol.asyncIterator]();
          return { first: await rest.next(), rest };
        });
        return { call, first };
      }),
    compare: (request, callOptions = {}) =>
      eventsOf({
        schema: CompareRequestSchema,
        request,
        options: callOptions,
        settings,
        open: rpc.compare,
        end: { isLast: ({ totals }) => totals !== undefined, missing: "it ended without its totals" },
      }),
    dryRun: (request, callOptions = {}) => unary(ChatRequestSchema, rpc.dryRun, request, callOptions),
    embed: (request, callOptions = {}) => unary(EmbedRequestSchema, rpc.embed, request, callOptions),
    recordFeedback: (request, callOptions = {}) =>
      unary(RecordFeedbackRequestSchema, rpc.recordFeedback, request, callOptions),
    listModels: (request = {}, callOptions = {}) =>
      unary(ListModelsRequestSchema, rpc.listModels, request, callOptions),
    listTemplates: (request = {}, callOptions = {}) =>
      unary(ListTemplatesRequestSchema, rpc.listTemplates, request, callOptions),
    renderTemplate: (request, callOptions = {}) =>
      unary(RenderTemplateRequestSchema, rpc.renderTemplate, request, callOptions),
    getStatus: (request = {}, callOptions = {}) =>
      unary(GetStatusRequestSchema, rpc.getStatus, request, callOptions),
    ...adminOver(admin, unary, settings),
    ...jobsOver(rpc, unary, settings),
  };
}

function checkedUrl(text: string): string {
  const url = URL.parse(text);
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw new TypeError('baseUrl: must be an absolute URL such as "https://gateway.example"');
  }
  if (url.username || url.password) throw new TypeError("baseUrl: must hold no password; use apiKey");
  return text.replace(/\/+$/, "");
}
