/** What the client offers to operators, each as its RPC has it. It does not know who is one. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Client } from "@connectrpc/connect";
import {
  BookAdjustmentsRequestSchema,
  type BookAdjustmentsResponse,
  ListAdjustmentsRequestSchema,
  type ListAdjustmentsResponse,
} from "../../../gen/ts/llmgateway/v1/adjustment_pb.ts";
import {
  type AdminService,
  type Circuit,
  ClearCacheRequestSchema,
  type ClearCacheResponse,
  GetCacheStatsRequestSchema,
  type GetCacheStatsResponse,
  ListCircuitsRequestSchema,
  type ListCircuitsResponse,
  SetCircuitRequestSchema,
  WarmCacheRequestSchema,
  type WarmCacheResponse,
} from "../../../gen/ts/llmgateway/v1/admin_pb.ts";
import {
  type Experiment,
  GetExperimentsRequestSchema,
  type GetExperimentsResponse,
  PromoteVariantRequestSchema,
  StopExperimentRequestSchema,
} from "../../../gen/ts/llmgateway/v1/experiment_pb.ts";
import { RepriceRequestSchema, type RepriceResponse } from "../../../gen/ts/llmgateway/v1/reprice_pb.ts";
import {
  DeleteRequestTextsRequestSchema,
  type DeleteRequestTextsResponse,
  GetRequestRequestSchema,
  type GetRequestResponse,
  GetUsageRequestSchema,
  type GetUsageResponse,
  ListRequestsRequestSchema,
  type ListRequestsResponse,
} from "../../../gen/ts/llmgateway/v1/usage_pb.ts";
import type { CallOptions, CallSettings } from "./call.ts";
import { eventsOf } from "./events.ts";
import type { Unary } from "./jobs.ts";

/** What operators can ask of the gateway, with a key of the scope `admin` where there are keys. */
export interface Admin {
  /** Lists the circuits of providers and models. */
  listCircuits(options?: CallOptions): Promise<ListCircuitsResponse>;
  /** Opens or closes a circuit by hand, or leaves it to itself again. */
  setCircuit(
    request: MessageInitShape<typeof SetCircuitRequestSchema>,
    options?: CallOptions,
  ): Promise<Circuit>;
  /** Tells what the gateway's cache holds, and what it saved. */
  getCacheStats(options?: CallOptions): Promise<GetCacheStatsResponse>;
  /** Lets go of answers that the cache holds. Every one goes only by `all: true`. */
  clearCache(
    request: MessageInitShape<typeof ClearCacheRequestSchema>,
    options?: CallOptions,
  ): Promise<ClearCacheResponse>;
  /**
   * Has requests answered and kept, and tells of each as it is done; the last event has `done`. Nothing is sent until
   * it is read, and it is sent once. A reader who leaves the loop ends it at the gateway.
   */
  warmCache(
    request: MessageInitShape<typeof WarmCacheRequestSchema>,
    options?: CallOptions,
  ): AsyncGenerator<WarmCacheResponse, void, undefined>;
  /** Tells how experiments stand. */
  getExperiments(
    request?: MessageInitShape<typeof GetExperimentsRequestSchema>,
    options?: CallOptions,
  ): Promise<GetExperimentsResponse>;
  /** Gives all calls of an experiment to one variant; without one, shares them by the weights again. */
  promoteVariant(
    request: MessageInitShape<typeof PromoteVariantRequestSchema>,
    options?: CallOptions,
  ): Promise<Experiment>;
  /** Ends an experiment. */
  stopExperiment(
    request: MessageInitShape<typeof StopExperimentRequestSchema>,
    options?: CallOptions,
  ): Promise<Experiment>;
  /** Tells what was spent, by whatever is asked for. */
  getUsage(
    request?: MessageInitShape<typeof GetUsageRequestSchema>,
    options?: CallOptions,
  ): Promise<GetUsageResponse>;
  /** Lists requests that are over, the latest first. */
  listRequests(
    request?: MessageInitShape<typeof ListRequestsRequestSchema>,
    options?: CallOptions,
  ): Promise<ListRequestsResponse>;
  /** Tells one request with all that was tried for it; with `includeText`, what was said in it, where that is kept. */
  getRequest(
    request: MessageInitShape<typeof GetRequestRequestSchema>,
    options?: CallOptions,
  ): Promise<GetRequestResponse>;
  /** Deletes what was said in a request, or in all of them by `all: true`. */
  deleteRequestTexts(
    request: MessageInitShape<typeof DeleteRequestTextsRequestSchema>,
    options?: CallOptions,
  ): Promise<DeleteRequestTextsResponse>;
  /** Works out what past calls cost by other prices, or at other models. */
  reprice(
    request?: MessageInitShape<typeof RepriceRequestSchema>,
    options?: CallOptions,
  ): Promise<RepriceResponse>;
  /**
   * Books what past calls cost more or less by corrected prices, beside what was booked. What is booked already, it does
   * not book again.
   */
  bookAdjustments(
    request: MessageInitShape<typeof BookAdjustmentsRequestSchema>,
    options?: CallOptions,
  ): Promise<BookAdjustmentsResponse>;
  /** Lists what was booked so, the latest first. */
  listAdjustments(
    request?: MessageInitShape<typeof ListAdjustmentsRequestSchema>,
    options?: CallOptions,
  ): Promise<ListAdjustmentsResponse>;
}

export function adminOver(rpc: Client<typeof AdminService>, unary: Unary, settings: CallSettings): Admin {
  return {
    listCircuits: (options = {}) => unary(ListCircuitsRequestSchema, rpc.listCircuits, {}, options),
    setCircuit: (request, options = {}) => unary(SetCircuitRequestSchema, rpc.setCircuit, request, options),
    getCacheStats: (options = {}) => unary(GetCacheStatsRequestSchema, rpc.getCacheStats, {}, options),
    clearCache: (request, options = {}) => unary(ClearCacheRequestSchema, rpc.clearCache, request, options),
    warmCache: (request, options = {}) =>
      eventsOf({
        schema: WarmCacheRequestSchema,
        request,
        options,
        // Many calls may take longer than any one.
        settings: { ...settings, timeoutMs: undefined },
        open: rpc.warmCache,
      }),
    getExperiments: (request = {}, options = {}) =>
      unary(GetExperimentsRequestSchema, rpc.getExperiments, request, options),
    promoteVariant: (request, options = {}) =>
      unary(PromoteVariantRequestSchema, rpc.promoteVariant, request, options),
    stopExperiment: (request, options = {}) =>
      unary(StopExperimentRequestSchema, rpc.stopExperiment, request, options),
    getUsage: (request = {}, options = {}) => unary(GetUsageRequestSchema, rpc.getUsage, request, options),
    listRequests: (request = {}, options = {}) =>
      unary(ListRequestsRequestSchema, rpc.listRequests, request, options),
    getRequest: (request, options = {}) => unary(GetRequestRequestSchema, rpc.getRequest, request, options),
    deleteRequestTexts: (request, options = {}) =>
      unary(DeleteRequestTextsRequestSchema, rpc.deleteRequestTexts, request, options),
    reprice: (request = {}, options = {}) => unary(RepriceRequestSchema, rpc.reprice, request, options),
    bookAdjustments: (request, options = {}) =>
      unary(BookAdjustmentsRequestSchema, rpc.bookAdjustments, request, options),
    listAdjustments: (request = {}, options = {}) =>
      unary(ListAdjustmentsRequestSchema, rpc.listAdjustments, request, options),
  };
}
