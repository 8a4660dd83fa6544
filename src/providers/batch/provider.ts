/** A provider's batches as a service: one call is one line, encoded and decoded by the provider's own dialect. */
import type { ChatRequest } from "../../../gen/ts/llmgateway/v1/chat_pb.ts";
import { type AttemptCall, BATCH_TIER, type Sent, type Service } from "../../core/call.ts";
import { Failure } from "../../core/failure.ts";
import type { LineReply } from "../batch_adapter.ts";
import type { Dialect } from "../dialect.ts";
import { replyOf } from "../http.ts";
import type { BatchLane } from "./lane.ts";

/** What was used is priced as a batch, whatever tier the reply names. */
export function batchProvider(dialect: Dialect, lane: BatchLane): Service<AttemptCall> {
  return async (call) => {
    const { status, body } = await lineReplyTo(call, dialect, lane);
    if (status >= 300) throw dialect.classify(status, {}, body);
    const decoded = dialect.decodeReply(body, {});
    const usage = decoded.usage && { ...decoded.usage, serviceTier: BATCH_TIER };
    const reply = replyOf(call, { ...decoded, usage });
    // Its caller has left, but what it cost is known.
    call.signal.throwIfAborted();
    return reply;
  };
}

function lineReplyTo(call: AttemptCall, dialect: Dialect, lane: BatchLane): Promise<LineReply> {
  const { context, attempt, parking, request, signal } = call;
  if (!parking || request.$typeName !== "llmgateway.v1.ChatRequest")
    throw new Failure("internal", "a call that cannot wait was to go through a batch");
  if (parking.parked) return lane.resume(parking.parked.where, signal);
  const wire = dialect.encode(withoutTier(request), {
    model: call.target.model,
    stream: false,
    maxTokens: call.maxTokens,
    modelMaxTokens: call.modelMaxTokens,
  });
  const customId = `${context.callId}-${attempt.number}`;
  return lane.submit({
    customId,
    model: call.target.model,
    wire,
    park: (where) => parking.park({ where, sent: sentAs(call) }),
    signal,
  });
}

function sentAs({ attempt, attemptedAtMs, target: { provider, model }, tally }: AttemptCall): Sent {
  const { policy, reason, name } = tally.route ?? {};
  const route = policy === undefined ? undefined : { policy, reason: reason ?? "", name: name ?? "" };
  return { number: attempt.number, atMs: attemptedAtMs, target: { provider, model }, route };
}

/** Providers know the tier by the way that a request comes, and not by its name. */
function withoutTier(request: ChatRequest): ChatRequest {
  const { parameters } = request;
  return parameters ? { ...request, parameters: { ...parameters, serviceTier: "" } } : request;
}
