/**
 * A call on its way down the stack, and the shape of every layer. What is
 * shared here is immutable, but for the tally that the layers add to.
 */
import type { Span } from "@opentelemetry/api";
import type { ChatRequest } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { EmbedRequest } from "../../gen/ts/llmgateway/v1/embed_pb.ts";
import type {
  Attempt,
  CacheLookup,
  Moderated,
  Route,
  TemplateUse,
} from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import type { PicoUsd } from "./money.ts";
import type { Batch, Reply } from "./reply.ts";

/** Who calls, from where, until when. Made once, at the door. */
export interface RequestContext {
  /** The gateway's own, and never the same twice. */
  readonly callId: string;
  /** The caller's own, where it sent one; it may be repeated. */
  readonly requestId: string;
  /** Milliseconds since the epoch. */
  readonly startedAtMs: number;
  /** The API key's name, or `anonymous`. */
  readonly principal: string;
  readonly tenant: string;
  /** With whom of its tenant it shares cached answers; empty for all who say nothing else. */
  readonly cacheScope: string;
  /** The caller's IP address. */
  readonly peer: string;
  readonly protocol: Protocol;
  /** The RPC's name, such as `Chat`. */
  readonly method: string;
  /** The caller's own key under which the call is made once; empty for none. */
  readonly idempotencyKey: string;
  /** The span of the whole request, to hang others on. Records nothing when tracing is off. */
  readonly span: Span;
  /** Aborts when the caller leaves or its deadline passes; the reason is a Failure. */
  readonly signal: AbortSignal;
  /** When its deadline passes, in milliseconds since the epoch; undefined when it has none. */
  readonly deadlineAtMs: number | undefined;
  /** Headers for the reply, on any protocol; to be set before the reply begins. */
  readonly replyHeaders: Map<string, string>;
}

/** How it came; `job` for a run of a job, which nobody waits for. */
export type Protocol = "rest" | "connect" | "grpc" | "grpc-web" | "job";

/** What can be asked of a model. What all of them have in common bears the same names in each. */
export type ModelRequest = ChatRequest | EmbedRequest;

/** What a model does for a request, by OpenTelemetry's name for it. */
export type Operation = "chat" | "embeddings";

const OPERATIONS: Readonly<Record<ModelRequest["$typeName"], Operation>> = {
  "llmgateway.v1.ChatRequest": "chat",
  "llmgateway.v1.EmbedRequest": "embeddings",
};

export function operationOf({ request }: Call): Operation {
  return OPERATIONS[request.$typeName];
}

/** The service tier of what a provider answers within a day, many requests at a time, for less money. */
export const BATCH_TIER = "batch";

/** Whether it goes through its provider's batches. */
export function isBatch({ request }: Pick<Call, "request">): boolean {
  return request.$typeName === "llmgateway.v1.ChatRequest" && request.parameters?.serviceTier === BATCH_TIER;
}

/** How the answer to a copy compares with the one that the caller was given. */
export interface Compared {
  readonly equal: boolean;
  readonly sameFinish: boolean;
  /** How alike the words are, from 0 to 1. */
  readonly similarity: number;
  /** Its length by that of the other; 1 for as long. */
  readonly lengthRatio: number;
}

/** The method of copies that an experiment sends beside the answer. */
export const SHADOWING = "Shadow";

/** The method of calls that only fill the cache. */
export const WARMING = "WarmCache";

export interface Call {
  readonly context: RequestContext;
  readonly request: ModelRequest;
  /** The request as it came, where a template made another of it. */
  readonly asked?: ModelRequest | undefined;
  readonly streaming: boolean;
  /** The request's `metadata`, as it may be kept. */
  readonly labels: Readonly<Record<string, string>>;
  /** The most that this call may cost, from the request; undefined is no limit. */
  readonly maxCost: PicoUsd | undefined;
  /** Ends this part of the work. A layer may pass down a narrower one. */
  readonly signal: AbortSignal;
  /** When the call must be over, by whoever wants it soonest, in milliseconds since the epoch; undefined for never. */
  readonly deadlineAtMs: number | undefined;
  readonly tally: Tally;
  /** Undefined where nobody can wait for hours. */
  readonly parking?: Parking | undefined;
}

/** Lets an attempt outlast the process, where its provider answers hours later. */
export interface Parking {
  /** What was parked before: the attempt is taken up there, and not sent again. */
  readonly parked: Parked | undefined;
  /** Keeps where the attempt can be taken up. From then on it survives the process. */
  park(parked: Parked): Promise<void>;
}

/** An attempt that goes on at its provider. */
export interface Parked {
  /** Where it is found there, in words of who sent it. */
  readonly where: string;
  /** As what it was sent, whatever leads where by now; undefined for what an earlier version parked. */
  readonly sent?: Sent | undefined;
}

export interface Sent {
  /** The attempt's. */
  readonly number: number;
  /** When it began; undefined for what an earlier version parked. */
  readonly atMs?: number | undefined;
  readonly target: Target;
  readonly route: Pick<Route, "policy" | "reason" | "name"> | undefined;
}

/** What the call has come to so far. */
export interface Tally {
  /** Every call to a provider, in order; one that is not settled is `pending`. */
  readonly attempts: Attempt[];
  /** Of those that are not settled, the most that each may cost; undefined where that is not known. */
  readonly open: Map<Attempt, PicoUsd | undefined>;
  /** What the first attempt was expected to cost; undefined when unpriced. */
  estimated: PicoUsd | undefined;
  priceVersion: string;
  route: Route | undefined;
  /** Who serves it by the router's choice, without those of a fallback chain behind them; undefined until it has chosen. */
  chosen: readonly Target[] | undefined;
  /** Fields of the request that the model cannot do and that were left out. */
  readonly dropped: string[];
  /** What the cache knew; undefined where there is none. */
  cache: CacheLookup | undefined;
  /** Of which its request was made; undefined for none. */
  template: TemplateUse | undefined;
  /** What moderation found. */
  readonly moderation: Moderated[];
  /** Set when the answer is of no attempt of this call. */
  served: Served | undefined;
  /** Set when the call is over and its attempts go on for others, who wait for their answer: resolves once they end. */
  outlived: Promise<void> | undefined;
  /** The experiment that it is part of; undefined for none. */
  experiment?: Assignment | undefined;
  /** What would have become of the call if the semantic cache gave answers; undefined where it was not measured. */
  shadow?: Shadow | undefined;
  /** Set where what is said in the call is kept. */
  transcript?: Transcript | undefined;
}

/** Hears what is said in one call. */
export interface Transcript {
  /** The request as those below see it, once all has been taken out of it that may be. */
  asked(request: ModelRequest): void;
  /** What the caller is given next, before what was taken out of the request is put back into it. */
  unrestored(events: Batch): void;
}

/** The variant that a call was given. */
export interface Assignment {
  readonly name: string;
  readonly variant: string;
  /** The group of units that its figures are counted in. */
  readonly group: number;
}

/** A measurement of the semantic cache. */
export interface Shadow {
  /** `same` and `different`: what it would have given, beside what the provider said; `unanswered` until that came. */
  readonly outcome: "miss" | "same" | "different" | "unanswered";
  /** Undefined for a miss. */
  readonly similarity: number | undefined;
}

/** Who gave the answer that a call was given without an attempt of its own. */
export interface Served extends Target {
  readonly kind: "exact" | "semantic" | "coalesced" | "idempotent";
  /** What it cost who paid for it; undefined when that is not known. */
  readonly costPicoUsd: PicoUsd | undefined;
}

/** A provider in the configuration, and its own name for a model. */
export interface Target {
  readonly provider: string;
  readonly model: string;
}

/** A call that knows who can serve it. */
export interface PlannedCall extends Call {
  /** In the order in which they are to be asked. */
  readonly targets: readonly [Target, ...Target[]];
}

/** What an attempt is made for. */
export type Trigger = "first" | "retry" | "hedge" | "fallback" | "semantic_cache";

/** A call that knows where it goes. */
export interface RoutedCall extends Call {
  readonly target: Target;
  readonly trigger: Trigger;
  /** Who is to be asked if the target fails, in that order. */
  readonly alternatives: readonly Target[];
  /** Told of the attempt once it has its row in the receipt. */
  readonly begun?: ((attempt: Attempt) => void) | undefined;
}

/** A call to one provider, whose row in the receipt exists. */
export interface AttemptCall extends RoutedCall {
  readonly attempt: Attempt;
  /** When the attempt began, in milliseconds since the epoch. */
  readonly attemptedAtMs?: number | undefined;
  /** The most tokens that the provider may write, when a budget lowers them. */
  readonly maxTokens: number | undefined;
  /** The most tokens that the model can write, where that is known. */
  readonly modelMaxTokens?: number | undefined;
}

/**
 * Resolves at the commit point: with a stream's first content, reasoning or
 * tool-call event, or with the whole of a unary reply. Until then a layer may
 * try again or elsewhere; after it, nothing is re-routed.
 *
 * @throws Failure
 */
export type Service<C extends Call = Call> = (call: C) => Promise<Reply>;

/** A policy: takes the service below it, gives the service that callers of the layer see. */
export type Layer<Above extends Call = Call, Below extends Call = Above> = (
  next: Service<Below>,
) => Service<Above>;
