/**
 * Answers a call with what was answered to a request that says the same in other words, where the exact one is not
 * known. What says the same is for the guard and the embedder to judge. Where it only measures, it gives nothing.
 */
import { create } from "@bufbuild/protobuf";
import type { ChatRequest } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { EmbedRequestSchema } from "../../gen/ts/llmgateway/v1/embed_pb.ts";
import type { Answer } from "../cache/answer.ts";
import type { Answers } from "../cache/answers.ts";
import { given, isFresh } from "../cache/given.ts";
import { keyOf } from "../cache/key.ts";
import { type Compared, comparedIn } from "../cache/semantic/compared.ts";
import { type Facts, factsOf } from "../cache/semantic/facts.ts";
import { disagreement } from "../cache/semantic/guard.ts";
import type { Known } from "../cache/semantic/known.ts";
import { lexicalVector } from "../cache/semantic/lexical.ts";
import { Bounded } from "../core/bounded.ts";
import type { Call, Layer, RoutedCall, Service, Target } from "../core/call.ts";
import type { Clock } from "../core/clock.ts";
import { Failure } from "../core/failure.ts";
import type { Batch, Reply } from "../core/reply.ts";

export interface SemanticRule {
  /** What keys have of the family. */
  readonly identity: string;
  /** How alike requests must be, from 0 to 1. */
  readonly threshold: number;
}

export interface SemanticMeans {
  /** Whether answers are given, or only measured. */
  readonly serves: boolean;
  readonly known: Known;
  readonly answers: Answers;
  /** Undefined for a request that the router refuses. */
  ruleOf(request: ChatRequest): SemanticRule | undefined;
  /** Undefined where words are compared, for which nobody is asked. */
  readonly embedder: Target | undefined;
  readonly timeoutMs: number;
  readonly maxTextLength: number;
  /** Whether a kept stream is given again as it came. */
  readonly paced: boolean;
  readonly clock: Clock;
}

/** @param embed where the embedder is asked: below all that would try again or elsewhere */
export function semantic(means: SemanticMeans, embed: Service<RoutedCall>): Layer {
  return (next) => async (call) => {
    const { request, tally } = call;
    if (request.$typeName !== "llmgateway.v1.ChatRequest" || tally.cache?.outcome !== "miss")
      return next(call);
    const rule = means.ruleOf(request);
    const compared = comparedIn(request, means.maxTextLength);
    if (!rule || !compared) return next(call);
    return new Comparison(call, request, compared, rule, means).answer(next, embed);
  };
}

interface Found {
  readonly answer: Answer;
  readonly similarity: number;
}

class Comparison {
  private readonly call: Call;
  private readonly request: ChatRequest;
  private readonly text: string;
  private readonly facts: Facts;
  private readonly means: SemanticMeans;
  private readonly threshold: number;
  private readonly key: string;
  private readonly frame: string;

  constructor(
    call: Call,
    request: ChatRequest,
    { text, frame }: Compared,
    { identity, threshold }: SemanticRule,
    means: SemanticMeans,
  ) {
    this.call = call;
    this.request = request;
    this.text = text;
    this.facts = factsOf(text);
    this.means = means;
    this.threshold = threshold;
    const { tenant, cacheScope } = call.context;
    const scope = { tenant, cacheScope, family: identity };
    this.key = keyOf(request, scope);
    // Vectors of different embedders do not compare.
    const { provider, model } = means.embedder ?? { provider: "", model: "" };
    this.frame = `${provider}/${model} ${keyOf(frame, scope)}`;
  }

  async answer(next: Service, embed: Service<RoutedCall>): Promise<Reply> {
    const { means, call } = this;
    const vector = await this.vector(embed);
    if (!vector) return next(call);
    const found = this.request.cache === "refresh" ? undefined : await this.find(vector);
    if (found && means.serves) return this.hit(found);
    if (!means.serves)
      call.tally.shadow = found
        ? { outcome: "unanswered", similarity: found.similarity }
        : { outcome: "miss", similarity: undefined };
    const reply = await next(call);
    return { ...reply, events: this.watched(reply.events, vector, found) };
  }

  /** Undefined when the embedder did not serve: nothing is compared then, and the call goes on. */
  private async vector(embed: Service<RoutedCall>): Promise<Float32Array | undefined> {
    const { known, embedder } = this.means;
    const remembered = known.vectorOf(this.key);
    if (remembered) return remembered;
    const vector = embedder ? await this.embedded(embed, embedder) : lexicalVector(this.text);
    if (vector) known.remember(this.key, vector);
    return vector;
  }

  private async embedded(embed: Service<RoutedCall>, target: Target): Promise<Float32Array | undefined> {
    const { call, means, request } = this;
    const { timeoutMs } = means;
    const bounded = new Bounded(call.signal, means.clock);
    bounded.limit(
      timeoutMs,
      () => new Failure("deadline_exceeded", `no embedding for the semantic cache within ${timeoutMs} ms`),
    );
    const { provider: model, model: modelVersion } = target;
    const { metadata } = request;
    try {
      const reply = await embed({
        ...call,
        request: create(EmbedRequestSchema, { input: [this.text], model, modelVersion, metadata }),
        streaming: false,
        signal: bounded.signal,
        parking: undefined,
        target,
        trigger: "semantic_cache",
        alternatives: [],
      });
      // Read to its end, where it is settled.
      for await (const _ of reply.events);
      return unit(reply.embeddings?.[0]?.values ?? []);
    } catch {
      // Its attempt tells of it.
      return undefined;
    } finally {
      bounded.end();
    }
  }

  private async find(vector: Float32Array): Promise<Found | undefined> {
    const { known, answers } = this.means;
    for (const { key, facts, similarity } of known.alike(this.frame, vector)) {
      if (similarity < this.threshold) return undefined;
      if (disagreement(this.facts, facts)) continue;
      const entry = await answers.find(key, this.call.context.tenant);
      if (!entry) known.remove(key);
      else if (isFresh(entry.answer, this.request, this.means.clock)) {
        known.touch(key);
        return { answer: entry.answer, similarity };
      }
    }
    return undefined;
  }

  private hit({ answer, similarity }: Found): Reply {
    return given(this.call, answer, { kind: "semantic", similarity, pace: this.means });
  }

  /** The same events. Once they are whole, the request is known; whether the answer is kept is judged above. */
  private async *watched(
    events: AsyncIterable<Batch>,
    vector: Float32Array,
    found: Found | undefined,
  ): AsyncGenerator<Batch> {
    const { call, means, key, facts } = this;
    const said: Batch[] = [];
    for await (const batch of events) {
      if (found) said.push(batch);
      // Before the last is passed on: nobody reads on behind it.
      if (batch.at(-1)?.done) {
        means.known.add(this.frame, { key, text: this.text, vector, facts });
        if (found) {
          const same = textOf(said) === textOf(found.answer.batches.map((timed) => timed.events));
          call.tally.shadow = { outcome: same ? "same" : "different", similarity: found.similarity };
        }
      }
      yield batch;
    }
  }
}

function textOf(batches: readonly Batch[]): string {
  return batches.flatMap((batch) => batch.map(({ token = "" }) => token)).join("");
}

/** Undefined for one that has no direction. */
function unit(values: readonly number[]): Float32Array | undefined {
  const length = Math.hypot(...values);
  return length > 0 && Number.isFinite(length)
    ? Float32Array.from(values, (value) => value / length)
    : undefined;
}
