/** Has requests remembered that the cache was asked for, so that they can be warmed. It looks at no answer. */
import type { ChatRequest } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { Frequent } from "../cache/frequent.ts";
import { type Layer, WARMING } from "../core/call.ts";

export function remember(frequent: Frequent, familyOf: (request: ChatRequest) => string | undefined): Layer {
  return (next) => async (call) => {
    const reply = await next(call);
    if (!frequent.isWanted) return reply;
    const { request, context, tally, labels } = call;
    if (request.$typeName !== "llmgateway.v1.ChatRequest" || context.method === WARMING) return reply;
    // What it was not asked for may not be kept: sensitive requests are among those.
    if (!tally.cache || tally.cache.outcome === "skipped") return reply;
    const { tenant, cacheScope } = context;
    const family = familyOf(request);
    if (family !== undefined) frequent.count(request, { tenant, cacheScope, family }, labels);
    return reply;
  };
}
