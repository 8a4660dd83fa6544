/** What operators are told of what was spent, and of single requests. How it is kept and summed it does not know. */
import { create, type DescMethod, type Message } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { AdminService } from "../../gen/ts/llmgateway/v1/admin_pb.ts";
import {
  type Anomaly,
  type GetRequestRequest,
  type GetRequestResponse,
  GetRequestResponseSchema,
  type GetUsageRequest,
  type GetUsageResponse,
  GetUsageResponseSchema,
  type ListRequestsRequest,
  type ListRequestsResponse,
  ListRequestsResponseSchema,
  type RecordedAttempt,
  RecordedAttemptSchema,
  type RequestSummary,
  RequestSummarySchema,
} from "../../gen/ts/llmgateway/v1/usage_pb.ts";
import type { RequestContext } from "../core/call.ts";
import type { Clock } from "../core/clock.ts";
import { Failure } from "../core/failure.ts";
import { hoursOf } from "../core/hours.ts";
import { type PicoUsd, toUsd } from "../core/money.ts";
import type {
  BookedAttempt,
  BookedCall,
  Dimension,
  Period,
  UsageFilter,
  UsageStore,
} from "../core/usage-store.ts";
import { TIPS_BY, type TipMeans, tipsOf } from "../cost/tips/tips.ts";
import type { Handler } from "./door.ts";
import { deleteTextsHandler, readText, type TextBackend } from "./text-handlers.ts";
import { pageOf, tokenOf } from "./usage-page.ts";
import { filterOf, periodOf } from "./usage-request.ts";
import { inOrder, rowOf, totalOf } from "./usage-row.ts";

export interface UsageBackend {
  readonly usage: UsageStore;
  /** Resolves once what is over by now is in the store. */
  flush(): Promise<void>;
  readonly clock: Pick<Clock, "now">;
  /** Whether what is called now is booked. */
  tracksCosts(): boolean;
  /** What was out of the usual. */
  anomalies(period: Period): Anomaly[];
  /** What tips are made with, asked anew each time. */
  tips(): TipMeans;
  /** What was said. */
  readonly said: TextBackend;
}

const DAY_MS = 86_400_000;
const WEEK_MS = 7 * DAY_MS;
const USAGE_ROWS = 100;
const REQUESTS = 50;

export function usageHandlers(backend: UsageBackend): [DescMethod, Handler][] {
  const { getUsage, listRequests, getRequest } = AdminService.method;
  const unary = <Request extends Message>(
    method: DescMethod,
    answer: (request: Request, backend: UsageBackend, context: RequestContext) => Promise<Message>,
  ): [DescMethod, Handler] => [
    method,
    async (message, context) => {
      await backend.flush();
      return { message: await answer(message as Request, backend, context) };
    },
  ];
  return [
    unary<GetUsageRequest>(getUsage, tellUsage),
    unary<ListRequestsRequest>(listRequests, list),
    unary<GetRequestRequest>(getRequest, tell),
    deleteTextsHandler(backend.said),
  ];
}

async function tellUsage(request: GetUsageRequest, backend: UsageBackend): Promise<GetUsageResponse> {
  const { usage, clock } = backend;
  const page = pageOf(request);
  const period = page ?? hoursOf(periodOf(request, clock.now(), WEEK_MS));
  const groupBy = request.groupBy as Dimension[];
  const filter = filterOf(request);
  const sums = await usage.usage({ ...period, groupBy, filter });
  const size = request.pageSize || USAGE_ROWS;
  const begin = page?.begin ?? 0;
  const ordered = inOrder(sums, request);
  const end = begin + size;
  return create(GetUsageResponseSchema, {
    rows: ordered.slice(begin, end).map((sum) => rowOf(sum, groupBy)),
    total: totalOf(sums),
    since: timestampFromMs(period.sinceMs),
    until: timestampFromMs(period.untilMs),
    anomalies: anomaliesOf(filter, period, backend),
    tips: request.tips
      ? tipsOf(await usage.usage({ ...period, groupBy: TIPS_BY, filter }), backend.tips())
      : [],
    nextPageToken: end < ordered.length ? tokenOf(request, { ...period, begin: end }) : "",
    trackingOff: !backend.tracksCosts(),
  });
}

/** They are known by provider and model alone. */
function anomaliesOf(filter: UsageFilter, period: Period, backend: UsageBackend): Anomaly[] {
  const { provider, model, ...others } = filter;
  if (Object.keys(others).length > 0) return [];
  return backend
    .anomalies(period)
    .filter(
      (one) =>
        (provider === undefined || one.provider === provider) && (model === undefined || one.model === model),
    );
}

async function list(
  request: ListRequestsRequest,
  { usage, clock }: UsageBackend,
): Promise<ListRequestsResponse> {
  const { outcome, failureKind, pageSize, pageToken } = request;
  const filter = {
    ...filterOf(request),
    ...periodOf(request, clock.now(), DAY_MS),
    ...(outcome && { outcome }),
    ...(failureKind && { failureKind }),
  };
  const { rows, next } = await usage.requests(filter, {
    size: pageSize || REQUESTS,
    after: pageToken || undefined,
  });
  return create(ListRequestsResponseSchema, { requests: rows.map(summaryOf), nextPageToken: next ?? "" });
}

async function tell(
  { id, includeText }: GetRequestRequest,
  { usage, said }: UsageBackend,
  context: RequestContext,
): Promise<GetRequestResponse> {
  const found = await usage.request(id);
  const callId = found?.call?.callId ?? found?.attempts[0]?.callId;
  // It may be kept for longer than the rest.
  const text = includeText ? await readText(callId ?? id, said, context) : undefined;
  if (!found && !text) {
    const description = "there is no such request; it is kept as long as the ledger's retention says";
    throw new Failure("not_found", `id: ${description}`, { violations: [{ field: "id", description }] });
  }
  return create(GetRequestResponseSchema, {
    ...(found?.call && { request: summaryOf(found.call) }),
    attempts: found?.attempts.map(recordedOf) ?? [],
    ...(text && { text }),
  });
}

function summaryOf(call: BookedCall): RequestSummary {
  const { startedAtMs, endedAtMs, principal, estimatedPicoUsd, costPicoUsd, savedPicoUsd, ...told } = call;
  const saved = savedPicoUsd ?? (0n as PicoUsd);
  return create(RequestSummarySchema, {
    ...told,
    tags: { ...told.tags },
    key: principal,
    startedAt: timestampFromMs(startedAtMs),
    endedAt: timestampFromMs(endedAtMs),
    ...(estimatedPicoUsd !== undefined && { estimatedUsd: toUsd(estimatedPicoUsd), estimatedPicoUsd }),
    ...(costPicoUsd !== undefined && { costUsd: toUsd(costPicoUsd), costPicoUsd }),
    savedUsd: toUsd(saved),
    savedPicoUsd: saved,
  });
}

function recordedOf({ attempt, state, startedAtMs, settledAtMs }: BookedAttempt): RecordedAttempt {
  return create(RecordedAttemptSchema, {
    attempt,
    state,
    startedAt: timestampFromMs(startedAtMs),
    ...(settledAtMs !== undefined && { settledAt: timestampFromMs(settledAtMs) }),
  });
}
