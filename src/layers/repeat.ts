/**
 * Gives a request that came in the same bytes before the answer that the exact cache gave it then, as long as the cache
 * has that, without looking for it again. It finds nothing that the cache would not, and keeps no answer by itself.
 */
import type { ChatRequest } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { CacheLookup } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import type { Answers, Entry } from "../cache/answers.ts";
import { isFresh } from "../cache/given.ts";
import { keyFor } from "../cache/key.ts";
import { type Call, type Layer, type Served, WARMING } from "../core/call.ts";
import type { Clock } from "../core/clock.ts";
import { type Content, contentOf, fold, type Reply } from "../core/reply.ts";

export interface RepeatMeans {
  readonly answers: Pick<Answers, "find" | "atHand">;
  /** Of whom the cache has a request's answer; undefined for one that the router refuses. */
  ruleOf(request: ChatRequest): { readonly identity: string } | undefined;
  readonly clock: Clock;
  /** Stands around what is given again as around the cache itself. */
  readonly around: Layer;
}

/** Whose request it was, under which key its answer is kept, and what was given. */
interface Asked {
  readonly tenant: string;
  readonly cacheScope: string;
  readonly key: string;
  /** By the cache's entry: what it lets go of is gone from here. */
  readonly given: WeakMap<Entry, Given>;
}

/** What was given. */
interface Given {
  readonly served: Served;
  readonly cache: CacheLookup;
  readonly dropped: readonly string[];
  readonly content: Content;
}

/** A larger answer is not gathered for the next who asks: it would be in memory twice. */
const MAX_BYTES = 16_384;

export function repeat({ answers, ruleOf, clock, around }: RepeatMeans): Layer {
  // By the request itself: whoever reads one from bytes that it knows gives the same one again. As few are known there,
  // so few answers are in memory a second time.
  const asked = new WeakMap<ChatRequest, Asked>();
  const find = ({ context }: Call, request: ChatRequest): Given | undefined => {
    const known = asked.get(request);
    if (known?.tenant !== context.tenant || known.cacheScope !== context.cacheScope) return undefined;
    const { key, tenant, given } = known;
    const entry = answers.atHand(key);
    const found = entry && isFresh(entry.answer, request, clock) ? given.get(entry) : undefined;
    // That it is asked for once more counts as it does below.
    if (found) answers.find(key, tenant);
    return found;
  };
  /** Where the cache has what it just gave, if that is to be given again. */
  const placeOf = (call: Call, request: ChatRequest) => {
    const rule = ruleOf(request);
    if (!rule) return undefined;
    const key = keyFor(call, request, rule);
    const entry = answers.atHand(key);
    if (!entry || entry.bytes > MAX_BYTES) return undefined;
    // Another may have been kept meanwhile.
    return entry.answer.requestId === call.tally.cache?.sourceRequestId ? { key, entry } : undefined;
  };
  return (next) => async (call) => {
    const { request, tally } = call;
    if (!isRepeatable(call, request)) return next(call);
    const found = find(call, request);
    if (found) {
      tally.served = found.served;
      tally.cache = found.cache;
      tally.dropped.push(...found.dropped);
      return around(async () => wholeOf(found.content))(call);
    }
    const reply = await next(call);
    const { served, cache } = tally;
    if (served?.kind !== "exact" || !cache) return reply;
    const place = placeOf(call, request);
    if (!place) return reply;
    const content = contentOf(await fold(reply));
    const { tenant, cacheScope } = call.context;
    const given = new WeakMap([[place.entry, { served, cache, dropped: [...tally.dropped], content }]]);
    asked.set(request, { tenant, cacheScope, key: place.key, given });
    return wholeOf(content);
  };
}

/** Only what is frozen may be known again. */
function isRepeatable({ streaming, context }: Call, request: Call["request"]): request is ChatRequest {
  if (streaming || !Object.isFrozen(request) || request.$typeName !== "llmgateway.v1.ChatRequest")
    return false;
  if (context.method === WARMING || context.idempotencyKey !== "" || request.idempotencyKey !== "")
    return false;
  return request.template === "";
}

function wholeOf(content: Content): Reply {
  return { events: NOTHING, whole: { content, receipt: undefined } };
}

const NOTHING: Reply["events"] = { async *[Symbol.asyncIterator]() {} };
