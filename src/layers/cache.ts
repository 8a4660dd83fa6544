/**
 * Answers a call with what was answered before, or is being answered to another, where that is known and may be given;
 * and keeps what is answered now. A call that is answered so makes no attempt: it costs nothing, and holds no money.
 */
import type { ChatRequest } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { CacheLookup, Receipt } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import type { Answer, TimedBatch } from "../cache/answer.ts";
import type { Answers, Entry } from "../cache/answers.ts";
import { Flights, type Recorder } from "../cache/flights.ts";
import { given, hitOf, isFresh, lookupOf } from "../cache/given.ts";
import { keyFor } from "../cache/key.ts";
import { Lookups } from "../cache/lookups.ts";
import { Recording, type RecordingRules } from "../cache/recording.ts";
import { entrySize } from "../cache/size.ts";
import { during, type Turns } from "../cache/turns.ts";
import type { Call, Layer, Service } from "../core/call.ts";
import type { Clock } from "../core/clock.ts";
import { Failure } from "../core/failure.ts";
import { costOfAnswer } from "../core/receipt.ts";
import type { Reply } from "../core/reply.ts";
import { isSame, nameOf } from "../core/target.ts";

/** What holds for requests of one model or alias. */
export interface FamilyRule {
  readonly family: string;
  /** What the key has of the family: another one once others answer for it. */
  readonly identity: string;
  readonly enabled: boolean;
  readonly ttlMs: number;
}

export interface CacheMeans {
  readonly answers: Answers;
  /** Undefined for a request that the router refuses. */
  ruleOf(request: ChatRequest): FamilyRule | undefined;
  /** Why a request is not to be answered from the cache; empty when it may be. */
  objectionTo(call: Call, request: ChatRequest): string;
  readonly maxTtlMs: number;
  readonly recording: RecordingRules;
  /** Whether calls share an answer that is under way. */
  readonly coalesce: boolean;
  /** Who of all replicas makes a call. */
  readonly turns: Turns;
  readonly clock: Clock;
}

/** @param flights that are under way; for whoever wants to know of them */
export function cache(means: CacheMeans, flights = flightsOf(means)): Layer {
  const shared = { ...means, flights, lookups: new Lookups() };
  return (next) => async (call) => {
    const { request } = call;
    if (request.$typeName !== "llmgateway.v1.ChatRequest") return next(call);
    const rule = means.ruleOf(request);
    if (!rule) return next(call);
    const objection = objectionOf(call, request, rule, means);
    if (objection) return skipped(call, request, objection, next);
    return new Lookup(call, request, rule, shared).answer(next);
  };
}

/** Where there is no cache: who wants an answer of it alone has no provider called all the same. */
export function withoutCache({ ruleOf }: Pick<CacheMeans, "ruleOf">): Layer {
  return (next) => (call) => {
    const { request } = call;
    const isOnly = request.$typeName === "llmgateway.v1.ChatRequest" && request.cache === "only";
    return isOnly && ruleOf(request) ? Promise.reject(notCached("it is off")) : next(call);
  };
}

function flightsOf({ recording: { maxBytes }, clock }: CacheMeans): Flights {
  return new Flights({ maxBytes, clock });
}

interface SharedMeans extends CacheMeans {
  readonly flights: Flights;
  readonly lookups: Lookups;
}

/** What the cache knows of a call that is not to be made; undefined for one that the router refuses. */
export async function lookUp(call: Call, means: CacheMeans): Promise<CacheLookup | undefined> {
  const { request } = call;
  if (request.$typeName !== "llmgateway.v1.ChatRequest") return undefined;
  const rule = means.ruleOf(request);
  if (!rule) return undefined;
  const reason = objectionOf(call, request, rule, means);
  if (reason) return lookupOf({ outcome: "skipped", reason });
  if (request.cache === "refresh") return lookupOf({ outcome: "miss" });
  const entry = fresh(
    await means.answers.find(keyFor(call, request, rule), call.context.tenant),
    request,
    means.clock,
  );
  return entry ? hitOf(entry.answer) : lookupOf({ outcome: "miss" });
}

/** Undefined when there is none, or none that this request would take. */
function fresh(entry: Entry | undefined, request: ChatRequest, clock: Clock): Entry | undefined {
  return entry && isFresh(entry.answer, request, clock) ? entry : undefined;
}

function objectionOf(call: Call, request: ChatRequest, rule: FamilyRule, means: CacheMeans): string {
  return rule.enabled ? means.objectionTo(call, request) : `it is off for ${rule.family}`;
}

function skipped(call: Call, request: ChatRequest, reason: string, next: Service): Promise<Reply> {
  call.tally.cache = lookupOf({ outcome: "skipped", reason });
  if (request.cache === "only") throw notCached(reason);
  return next(call);
}

function notCached(why: string): Failure {
  const description = `only an answer of the cache was wanted, and ${why}; leave it out to have a provider called`;
  return new Failure("not_cached", `cache: ${description}`, {
    violations: [{ field: "cache", description }],
  });
}

class Lookup {
  private readonly call: Call;
  private readonly request: ChatRequest;
  private readonly rule: FamilyRule;
  private readonly means: SharedMeans;
  private readonly key: string;
  /** The clears that were before. */
  private readonly since: number;

  constructor(call: Call, request: ChatRequest, rule: FamilyRule, means: SharedMeans) {
    this.call = call;
    this.request = request;
    this.rule = rule;
    this.means = means;
    this.key = keyFor(call, request, rule);
    this.since = means.answers.clears;
  }

  async answer(next: Service): Promise<Reply> {
    const { call, request, key } = this;
    const { answers, lookups, flights, coalesce, clock } = this.means;
    const course = coalesce ? this.course : undefined;
    // Who wants it anew takes nothing that began before.
    while (request.cache !== "refresh") {
      // Between a miss and what follows from it no other call may come: so nothing is awaited without need.
      const found = answers.find(key, call.context.tenant);
      const lookup = found instanceof Promise ? lookups.begin(key) : undefined;
      const early = found instanceof Promise ? await found : found;
      const kept = lookup?.end();
      const entry = fresh(early, request, clock) ?? fresh(kept, request, clock);
      if (entry) return this.hit(entry.answer);
      if (request.cache === "only") throw notCached("there is none");
      call.tally.cache = lookupOf({ outcome: "miss" });
      const shared = course === undefined ? undefined : flights.join(course, call);
      if (!shared) break;
      const reply = await shared;
      if (reply) return reply;
    }
    call.tally.cache = lookupOf({ outcome: "miss" });
    // What its own ceiling cuts short would be too short for others.
    const open = call.maxCost === undefined ? course : undefined;
    const isTurn = open !== undefined && !call.streaming && request.cache !== "refresh";
    return flights.lead(open, call, isTurn ? this.inTurn(next) : next, this.recorder());
  }

  /** Makes the call, unless another replica does: then it is given that one's answer. */
  private inTurn(next: Service): Service {
    const { key } = this;
    const { tenant } = this.call.context;
    return async (call) => {
      const isWanted = (entry: Entry) => fresh(entry, this.request, this.means.clock) !== undefined;
      const turn = await this.means.turns.take(key, tenant, isWanted, call.signal);
      return turn.entry ? this.hit(turn.entry.answer, "coalesced") : during(turn, () => next(call));
    };
  }

  /** Under which calls are one: they want the same, and faults met in the same way. */
  private get course(): string {
    const { resilience, fallbackChain } = this.request;
    return `${this.key} ${JSON.stringify([resilience, fallbackChain])}`;
  }

  private hit(answer: Answer, kind: "exact" | "coalesced" = "exact"): Reply {
    const { recording, clock } = this.means;
    return given(this.call, answer, { kind, pace: { clock, paced: recording.paced } });
  }

  /** Takes down what is answered, and keeps it once it is whole. */
  private recorder(): Recorder {
    const { call, means, rule } = this;
    const recording = new Recording(means.recording);
    return {
      said: (batch, atMs) => recording.add(batch, atMs),
      whole: (receipt) => {
        // What another cache gave is kept there.
        if (call.tally.served) return;
        const { recorded } = recording;
        // Whether there is a fallback chain behind those who were chosen, and which, hangs on the call.
        const isChosen = call.tally.chosen?.some((target) => isSame(target, receipt)) ?? true;
        const instead = isChosen ? "" : `${nameOf(receipt)} answered in place of ${rule.family}`;
        const objection = recording.objection || instead;
        if (objection) call.tally.cache = lookupOf({ outcome: "miss", reason: `not kept: ${objection}` });
        else this.keep(recorded, receipt);
      },
    };
  }

  private keep(batches: readonly TimedBatch[], { provider, model, dropped }: Receipt): void {
    const { call, rule, means, request, key } = this;
    const { requestId, tenant } = call.context;
    const nowMs = means.clock.now();
    const answer: Answer = {
      batches,
      provider,
      model,
      costPicoUsd: costOfAnswer(call),
      requestId,
      storedAtMs: nowMs,
      ...(dropped.length > 0 ? { dropped } : {}),
    };
    const ttlMs = request.cacheTtlSeconds === undefined ? rule.ttlMs : request.cacheTtlSeconds * 1_000;
    const expiresAtMs = nowMs + Math.min(ttlMs, means.maxTtlMs);
    const labelled = { answer, tenant, family: rule.family, tags: call.labels, expiresAtMs };
    const entry: Entry = { ...labelled, bytes: entrySize(key, labelled) };
    if (means.answers.isCleared(entry, this.since)) {
      call.tally.cache = lookupOf({ outcome: "miss", reason: "not kept: it was cleared while it came" });
      return;
    }
    means.answers.keep(key, entry);
    means.lookups.kept(key, entry);
  }
}
