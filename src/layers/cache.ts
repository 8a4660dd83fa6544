/**
 * Answers a call with what was answered before, where that is known and may be given, and keeps what is answered now.
 * A call that is answered so makes no attempt: it costs nothing, and holds no money.
 */
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { ChatRequest } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { CacheLookup } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import { type Answer, bare, replayed, type TimedBatch } from "../cache/answer.ts";
import type { Answers, Entry } from "../cache/answers.ts";
import { keyOf } from "../cache/key.ts";
import type { Call, Layer, Service } from "../core/call.ts";
import type { Clock } from "../core/clock.ts";
import { Failure } from "../core/failure.ts";
import type { PicoUsd } from "../core/money.ts";
import { receiptOf } from "../core/receipt.ts";
import type { Batch, Reply } from "../core/reply.ts";

/** What holds for requests of one model or alias. */
export interface FamilyRule {
  readonly family: string;
  readonly enabled: boolean;
  readonly ttlMs: number;
}

export interface CacheMeans {
  readonly answers: Answers;
  ruleOf(request: ChatRequest): FamilyRule;
  /** Why a request is not to be answered from the cache; empty when it may be. */
  objectionTo(call: Call, request: ChatRequest): string;
  readonly maxTtlMs: number;
  readonly maxEntryBytes: number;
  readonly clock: Clock;
}

export function cache(means: CacheMeans): Layer {
  return (next) => async (call) => {
    const { request } = call;
    if (request.$typeName !== "llmgateway.v1.ChatRequest") return next(call);
    const rule = means.ruleOf(request);
    const objection = rule.enabled ? means.objectionTo(call, request) : `it is off for ${rule.family}`;
    if (objection) return skipped(call, request, objection, next);
    return new Lookup(call, request, rule, means).answer(next);
  };
}

function skipped(call: Call, request: ChatRequest, reason: string, next: Service): Promise<Reply> {
  call.tally.cache = lookup({ outcome: "skipped", reason });
  if (request.cache === "only") throw notCached(reason);
  return next(call);
}

function notCached(why: string): Failure {
  const description = `only an answer of the cache was wanted, and ${why}; leave it out to have a provider called`;
  return new Failure("not_cached", `cache: ${description}`, {
    violations: [{ field: "cache", description }],
  });
}

function lookup(fields: Partial<Omit<CacheLookup, "$typeName">>): CacheLookup {
  return {
    $typeName: "llmgateway.v1.CacheLookup",
    outcome: "",
    reason: "",
    sourceRequestId: "",
    ...fields,
  };
}

class Lookup {
  private readonly call: Call;
  private readonly request: ChatRequest;
  private readonly rule: FamilyRule;
  private readonly means: CacheMeans;
  private readonly key: string;

  constructor(call: Call, request: ChatRequest, rule: FamilyRule, means: CacheMeans) {
    this.call = call;
    this.request = request;
    this.rule = rule;
    this.means = means;
    const { tenant, cacheScope } = call.context;
    this.key = keyOf(request, { tenant, cacheScope, family: rule.family });
  }

  async answer(next: Service): Promise<Reply> {
    const { call, request, means } = this;
    if (request.cache !== "refresh") {
      const entry = await means.answers.find(this.key);
      if (entry && this.isFresh(entry)) return this.hit(entry.answer);
    }
    if (request.cache === "only") throw notCached("there is none");
    call.tally.cache = lookup({ outcome: "miss" });
    const reply = await next(call);
    return { ...reply, events: this.recorded(reply.events) };
  }

  private isFresh({ answer }: Entry): boolean {
    const { cacheTtlSeconds } = this.request;
    return (
      cacheTtlSeconds === undefined || this.means.clock.now() < answer.storedAtMs + cacheTtlSeconds * 1_000
    );
  }

  private hit(answer: Answer): Reply {
    const { tally } = this.call;
    const { provider, model, costPicoUsd, requestId, storedAtMs } = answer;
    tally.served = { kind: "exact", provider, model, costPicoUsd };
    tally.cache = lookup({
      outcome: "hit",
      sourceRequestId: requestId,
      storedAt: timestampFromMs(storedAtMs),
    });
    return { events: replayed(answer) };
  }

  /** The same events; once they are whole, they are kept. */
  private async *recorded(events: AsyncIterable<Batch>): AsyncGenerator<Batch> {
    const { clock } = this.means;
    const batches: TimedBatch[] = [];
    let beganMs: number | undefined;
    for await (const batch of events) {
      beganMs ??= clock.now();
      batches.push({ events: batch.map(bare), atMs: clock.now() - beganMs });
      // Before the last is passed on: nobody reads on behind it.
      if (batch.at(-1)?.done) this.keep(batches);
      yield batch;
    }
  }

  private keep(batches: readonly TimedBatch[]): void {
    const { call, rule, means, request } = this;
    // Another request's answer, which is kept under that one's key.
    if (call.tally.served) return;
    const { requestId, tenant } = call.context;
    const { provider, model, cost } = receiptOf(call);
    const nowMs = means.clock.now();
    const answer: Answer = {
      batches,
      provider,
      model,
      costPicoUsd: cost?.actualPicoUsd as PicoUsd | undefined,
      requestId,
      storedAtMs: nowMs,
    };
    const ttlMs = request.cacheTtlSeconds === undefined ? rule.ttlMs : request.cacheTtlSeconds * 1_000;
    const expiresAtMs = nowMs + Math.min(ttlMs, means.maxTtlMs);
    means.answers.keep(this.key, {
      answer,
      tenant,
      family: rule.family,
      tags: call.labels,
      expiresAtMs,
      bytes: 1_000,
    });
  }
}
