/**
 * Tells in the log what operators change: who did it, from where, and what came of it. It changes nothing itself, and no
 * text of a call is ever in it.
 */
import type { DescMethod, Message } from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import type {
  BookAdjustmentsRequest,
  BookAdjustmentsResponse,
} from "../../gen/ts/llmgateway/v1/adjustment_pb.ts";
import {
  AdminService,
  type ClearCacheRequest,
  type ClearCacheResponse,
  type SetCircuitRequest,
  type WarmCacheRequest,
} from "../../gen/ts/llmgateway/v1/admin_pb.ts";
import type {
  PromoteVariantRequest,
  StopExperimentRequest,
} from "../../gen/ts/llmgateway/v1/experiment_pb.ts";
import type {
  DeleteRequestTextsRequest,
  DeleteRequestTextsResponse,
} from "../../gen/ts/llmgateway/v1/usage_pb.ts";
import type { RequestContext } from "../core/call.ts";
import { redact } from "../core/redact.ts";
import { type Logger, writeEvent } from "../telemetry/log.ts";
import { traceFields } from "../telemetry/trace.ts";
import type { Handler } from "./door.ts";

/** The same handlers. What fails is told at the door, like all that fails. */
export function audited(
  handlers: ReadonlyMap<DescMethod, Handler>,
  logger: Logger,
): ReadonlyMap<DescMethod, Handler> {
  return new Map(
    [...handlers].map(([method, handle]): [DescMethod, Handler] => {
      const change = CHANGES.get(method);
      if (!change) return [method, handle];
      const tell: Handler = async (message, context) => {
        const answer = await handle(message, context);
        const fields = change.fields(message as never, answer.message as never);
        tellOperator(logger, context, fields, change.msg);
        return answer;
      };
      return [method, tell];
    }),
  );
}

type Fields = Readonly<Record<string, string | number | boolean | undefined>>;

/** One line of what an operator did. What is empty is left out; texts may be anything, a key included. */
export function tellOperator(logger: Logger, context: RequestContext, fields: Fields, msg: string): void {
  const { requestId, span, method, principal, tenant, peer, protocol } = context;
  const told = Object.entries(fields)
    .filter(([, value]) => value !== undefined && value !== "" && value !== false)
    .map(([name, value]) => [name, typeof value === "string" ? redact(value) : value]);
  const who = { request_id: requestId, ...traceFields(span), method, principal, tenant, peer, protocol };
  writeEvent(logger, "info", { ...who, ...Object.fromEntries(told) }, msg);
}

interface Change {
  readonly msg: string;
  /** @param answer undefined for a stream, which has only begun */
  fields(request: never, answer: never): Fields;
}

function change<Request extends Message, Answer extends Message | undefined>(
  msg: string,
  fields: (request: Request, answer: Answer) => Fields,
): Change {
  return { msg, fields };
}

const {
  bookAdjustments,
  clearCache,
  deleteRequestTexts,
  promoteVariant,
  setCircuit,
  stopExperiment,
  warmCache,
} = AdminService.method;

/** All that AdminService has that is not merely read. */
export const CHANGES: ReadonlyMap<DescMethod, Change> = new Map<DescMethod, Change>([
  [
    setCircuit,
    change("circuit set", ({ provider, model, mode }: SetCircuitRequest) => ({ provider, model, mode })),
  ],
  [
    clearCache,
    change(
      "cache cleared",
      (
        { tenant, model, tag, all, forgetRequests }: ClearCacheRequest,
        { cleared, forgottenRequests }: ClearCacheResponse,
      ) => ({
        of_tenant: tenant,
        model,
        tag,
        all,
        forget_requests: forgetRequests,
        cleared: Number(cleared),
        forgotten_requests: Number(forgottenRequests),
      }),
    ),
  ],
  [
    warmCache,
    change("cache warming", ({ requests, mostFrequent, maxCostUsd, tenant }: WarmCacheRequest) => ({
      requests: requests.length,
      most_frequent: mostFrequent,
      max_cost_usd: maxCostUsd,
      of_tenant: tenant,
    })),
  ],
  [
    promoteVariant,
    change("variant promoted", ({ experiment, variant }: PromoteVariantRequest) => ({ experiment, variant })),
  ],
  [stopExperiment, change("experiment stopped", ({ experiment }: StopExperimentRequest) => ({ experiment }))],
  [
    deleteRequestTexts,
    change(
      "texts deleted",
      ({ id, all }: DeleteRequestTextsRequest, { deleted }: DeleteRequestTextsResponse) => ({
        text_of: id,
        all,
        deleted: Number(deleted),
      }),
    ),
  ],
  [
    bookAdjustments,
    change("adjustments booked", ({ reason }: BookAdjustmentsRequest, answer: BookAdjustmentsResponse) => ({
      reason,
      since: answer.since && timestampDate(answer.since).toISOString(),
      until: answer.until && timestampDate(answer.until).toISOString(),
      adjustment_pico_usd: String(answer.adjustmentPicoUsd),
      price_version: answer.priceVersion,
    })),
  ],
]);
