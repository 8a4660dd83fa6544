/**
 * Makes a call that bears its caller's own key once: whoever sends it again under the key is given what became of it.
 * What may have been paid for is not paid for again unasked; what cost nothing may be tried again.
 */
import { type JsonObject, toJson } from "@bufbuild/protobuf";
import { type ChatRequest, ChatRequestSchema } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { Attempt } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import { decodeEvents, droppedFrom, EventBytes } from "../cache/events.ts";
import { given } from "../cache/given.ts";
import type { Call, Layer, Service } from "../core/call.ts";
import { type Clock, pass } from "../core/clock.ts";
import { Failure, type FailureKind, toFailure } from "../core/failure.ts";
import { fingerprintOf, idempotencyKeyOf } from "../core/idempotency.ts";
import type {
  Claimed,
  IdempotencyStore,
  KeptAnswer,
  KeyEnd,
  KeyHolder,
  KeyName,
} from "../core/idempotency-store.ts";
import { costOfAnswer, receiptOf } from "../core/receipt.ts";
import type { Batch, Reply } from "../core/reply.ts";

export interface IdempotentMeans {
  readonly store: IdempotencyStore;
  /** What this process asks for, or has under way, by its key. */
  readonly underWay: Map<string, KeyedCall>;
  /** For so long a key stands for what was asked for under it. */
  readonly windowMs: number;
  readonly clock: Clock;
  /** Told when the store did not answer. */
  onError(error: unknown): void;
}

/** A call of this process that would be the one that is made under its key. */
export interface KeyedCall {
  readonly holder: KeyHolder;
  /** Resolves to whether it is. */
  readonly asked: Promise<boolean>;
  /** Resolves to what it came to; undefined when the key is free again. */
  readonly ended: Promise<KeyEnd | undefined>;
}

/** What is larger is not kept. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;
const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 1_000;

export function idempotent(means: IdempotentMeans): Layer {
  return (next) => (call) => {
    const { request, context } = call;
    // A job is made once by its own key.
    if (request.$typeName !== "llmgateway.v1.ChatRequest" || context.protocol === "job") return next(call);
    if (!request.idempotencyKey && !context.idempotencyKey) return next(call);
    return answer(call, request, means, next);
  };
}

async function answer(
  call: Call,
  request: ChatRequest,
  means: IdempotentMeans,
  next: Service,
): Promise<Reply> {
  return new Keyed(call, request, means).answer(next);
}

class Keyed {
  private readonly call: Call;
  private readonly means: IdempotentMeans;
  private readonly sensitive: boolean;
  private readonly name: KeyName;
  private readonly holder: KeyHolder;
  /** The name as one text. */
  private readonly id: string;
  private readonly ended = Promise.withResolvers<KeyEnd | undefined>();

  constructor(call: Call, request: ChatRequest, means: IdempotentMeans) {
    const { tenant, principal, callId, requestId } = call.context;
    const key = idempotencyKeyOf(request, call.context);
    this.call = call;
    this.means = means;
    this.sensitive = request.sensitive;
    this.name = { tenant, principal, key };
    this.holder = { callId, requestId, fingerprint: fingerprintOf([saidIn(askedIn(call, request))]) };
    this.id = JSON.stringify([tenant, principal, key]);
  }

  async answer(next: Service): Promise<Reply> {
    const { clock, underWay } = this.means;
    for (let waitMs = FIRST_WAIT_MS; ; ) {
      const other = underWay.get(this.id);
      if (other) {
        if (!(await this.until(other.asked))) continue;
        this.compare(other.holder);
        const end = await this.until(other.ended);
        if (end) return this.given(other.holder, end);
        continue;
      }
      const claimed = await this.claim();
      if (claimed.state === "taken") return this.make(next);
      this.compare(claimed);
      if (claimed.state === "ended") return this.given(claimed, claimed.end);
      // By this process, and not under way any more: its end could not be written.
      if (claimed.state !== "elsewhere") throw failureOf(brokenOff(claimed));
      await this.until(pass(clock, waitMs));
      waitMs = Math.min(2 * waitMs, LONGEST_WAIT_MS);
    }
  }

  private async claim(): Promise<Claimed> {
    const { store, clock, underWay, onError } = this.means;
    const asked = Promise.withResolvers<boolean>();
    underWay.set(this.id, { holder: this.holder, asked: asked.promise, ended: this.ended.promise });
    let taken = false;
    try {
      const claimed = await store.claim(this.name, this.holder, clock.now(), this.expiresAtMs);
      taken = claimed.state === "taken";
      return claimed;
    } catch (error) {
      onError(error);
      const text = "the database that keeps idempotency keys does not answer; nothing was sent";
      throw new Failure("idempotency_unavailable", text, { cause: error });
    } finally {
      if (!taken) underWay.delete(this.id);
      asked.resolve(taken);
    }
  }

  private compare({ fingerprint }: KeyHolder): void {
    if (fingerprint === this.holder.fingerprint) return;
    const text = "idempotency_key: something else was asked for under this key before; use another one";
    throw new Failure("idempotency_conflict", text, {
      violations: [{ field: "idempotency_key", description: "is that of another request" }],
    });
  }

  /** As the first call was answered. */
  private given({ requestId }: KeyHolder, { atMs, answer, failure }: KeyEnd): Reply {
    if (failure) throw failureOf(failure);
    const { events, ...rest } = answer;
    const said = decodeEvents(events);
    const kept = { ...rest, requestId, storedAtMs: atMs, ...droppedFrom(said.at(-1)) };
    return given(this.call, { ...kept, batches: [{ events: said, atMs: 0 }] }, { kind: "idempotent" });
  }

  private async make(next: Service): Promise<Reply> {
    try {
      const reply = await next(this.call);
      return { ...reply, events: this.recorded(reply.events) };
    } catch (error) {
      await this.end(this.failed(toFailure(error)));
      throw error;
    }
  }

  /** The same events; who has seen the last can rely on the key. */
  private async *recorded(events: AsyncIterable<Batch>): AsyncGenerator<Batch> {
    const said = this.sensitive ? undefined : new EventBytes(MAX_ANSWER_BYTES);
    let over = false;
    const end = (end: KeyEnd | undefined) => {
      over = true;
      return this.end(end);
    };
    try {
      for await (const batch of events) {
        for (const event of batch) said?.add(event, this.call.tally.dropped);
        if (batch.at(-1)?.done) await end(this.answered(said?.whole()));
        yield batch;
      }
    } catch (error) {
      if (!over) await end(this.failed(toFailure(error)));
      throw error;
    } finally {
      if (!over) await end(this.failed(new Failure("cancelled", "the reply was not read to its end")));
    }
  }

  private answered(events: Uint8Array | undefined): KeyEnd {
    const atMs = this.means.clock.now();
    const { provider, model } = receiptOf(this.call);
    const costPicoUsd = costOfAnswer(this.call);
    if (events) return { atMs, answer: { provider, model, costPicoUsd, events } satisfies KeptAnswer };
    const why = this.sensitive ? "it is sensitive" : `it has more than ${MAX_ANSWER_BYTES} bytes`;
    return { atMs, failure: notKept(this.holder, why) };
  }

  /** Undefined when nothing can have been paid for, so that the call may be made again. */
  private failed({ kind, message }: Failure): KeyEnd | undefined {
    if (this.call.tally.attempts.every(isFree)) return undefined;
    const atMs = this.means.clock.now();
    if (BROKEN_OFF.has(kind)) return { atMs, failure: brokenOff(this.holder) };
    const first = `so the first call under this idempotency key failed, ${this.holder.requestId}`;
    // Some providers repeat what they were sent.
    const text = `${this.sensitive ? "" : `${message}; `}${first}; ${ANOTHER_KEY}`;
    return { atMs, failure: { kind, message: text } };
  }

  private async end(end: KeyEnd | undefined): Promise<void> {
    const { store, underWay, onError } = this.means;
    const { callId } = this.holder;
    try {
      if (end) await store.finish(this.name, callId, end, this.expiresAtMs);
      else await store.free(this.name, callId);
    } catch (error) {
      onError(error);
    } finally {
      underWay.delete(this.id);
      this.ended.resolve(end);
    }
  }

  private get expiresAtMs(): number {
    return this.means.clock.now() + this.means.windowMs;
  }

  /** Rejects as soon as the caller leaves. */
  private until<T>(what: Promise<T>): Promise<T> {
    const { signal } = this.call;
    const left = Promise.withResolvers<never>();
    const leave = () => left.reject(signal.reason);
    if (signal.aborted) leave();
    signal.addEventListener("abort", leave, { once: true });
    return Promise.race([what, left.promise]).finally(() => signal.removeEventListener("abort", leave));
  }
}

/** A template may have another version by the second time. */
function askedIn({ asked }: Call, request: ChatRequest): ChatRequest {
  return asked?.$typeName === "llmgateway.v1.ChatRequest" ? asked : request;
}

/**
 * What is asked for: not who pays, how long to wait, or whether it comes in pieces, in which a second try may differ.
 */
function saidIn(request: ChatRequest): JsonObject {
  const json = toJson(ChatRequestSchema, request) as JsonObject;
  const { idempotencyKey, stream, timeoutMs, metadata, ...said } = json;
  return said;
}

/** A look-up in the semantic cache is no answer: to pay for it again is the price of trying again. */
function isFree({ trigger, outcome, actualPicoUsd }: Attempt): boolean {
  return trigger === "semantic_cache" || (outcome !== "pending" && actualPicoUsd === 0n);
}

/** What ends a call from outside, so that nobody knows what it would have come to. */
const BROKEN_OFF: ReadonlySet<string> = new Set<FailureKind>([
  "cancelled",
  "deadline_exceeded",
  "shutting_down",
]);
const ANOTHER_KEY = "use another key to call again";

function brokenOff({ requestId }: KeyHolder) {
  const text = `the first call under this idempotency key, ${requestId}, was broken off, and nobody knows its answer`;
  const message = `${text}; what it may have cost is booked under that request id; ${ANOTHER_KEY}`;
  return { kind: "outcome_unknown", message } as const;
}

function notKept({ requestId }: KeyHolder, why: string) {
  const text = `the first call under this idempotency key, ${requestId}, was answered, and its answer is not kept`;
  return { kind: "outcome_unknown", message: `${text}: ${why}; ${ANOTHER_KEY}` } as const;
}

function failureOf({ kind, message }: { kind: FailureKind; message: string }): Failure {
  return new Failure(kind, message);
}
