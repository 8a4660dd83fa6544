/**
 * A provider behind HTTP: a dialect spoken over a transport. Everything that is
 * the same for all of them, and nothing that is one's own.
 */

import type { ChatRequest, StreamResponse } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { AttemptCall, Service, Target } from "../core/call.ts";
import { Failure, invalidRequest, toFailure } from "../core/failure.ts";
import { unsent } from "../core/failure-anew.ts";
import { withoutKey } from "../core/redact.ts";
import { type Batch, isContent, type Reply } from "../core/reply.ts";
import { sessionOf } from "../core/session.ts";
import { decompressed } from "../wire/decompress.ts";
import { type FrameReader, frameReader } from "../wire/frames.ts";
import type { Transport, WireReply } from "../wire/transport.ts";
import type { Credentials, Proof } from "./credentials.ts";
import type { Decoded, Dialect, EmbeddingFormat, StreamDecoder, WireBody, Wish } from "./dialect.ts";
import { type Ask, embed } from "./embedder.ts";

const MAX_REPLY_BYTES = 64 * 1024 * 1024;
const MAX_ERROR_BYTES = 1024 * 1024;

export interface Endpoint {
  /** Path of the base URL, without a slash at its end. */
  readonly basePath: string;
  /** Query string for every request, without its `?`; may be empty. */
  readonly query: string;
  /** Sent with every request. */
  readonly headers: Readonly<Record<string, string>>;
  readonly credentials: Credentials;
}

/** What the provider reports goes to `call.attempt` as it comes, so that it outlives a failure. */
export function httpProvider(
  dialect: Dialect,
  endpoint: Endpoint,
  transport: Transport,
): Service<AttemptCall> {
  const post = postTo(endpoint, dialect.classify, transport);
  return async (call) => {
    const { request, target } = call;
    if (request.$typeName === "llmgateway.v1.ChatRequest") return chat(call, request, dialect, post);
    const format = dialect.embeddings?.(target.model) ?? refuseEmbeddings(target);
    return embed(call, request, format, asking(format, post));
  };
}

/** Resolves with a reply of success. */
type Post = (wire: WireBody, signal: AbortSignal, session: string) => Promise<WireReply>;

function postTo(endpoint: Endpoint, classify: Dialect["classify"], transport: Transport): Post {
  return async (wire, signal, session) => {
    const path = endpoint.basePath + withQuery(wire.path, endpoint.query);
    const proof = await unlessAborted(endpoint.credentials.prove({ path, body: wire.body, session }), signal);
    const headers = { ...endpoint.headers, ...wire.headers, ...proof.headers, ...JSON_BODY };
    const reply = await transport.post(path, headers, wire.body, signal);
    if (reply.status >= 300) {
      const text = await refusalIn(reply, classify, signal);
      const failure = classify(reply.status, reply.headers, withoutKey(text, proof.secret));
      throw sooner(failure, proof.onFailure?.(failure));
    }
    return decompressed(reply);
  };
}

/** Its status tells that nothing was served, and often why, also where the rest cannot be read. */
async function refusalIn(
  reply: WireReply,
  classify: Dialect["classify"],
  signal: AbortSignal,
): Promise<string> {
  try {
    return await decompressed(reply).text(MAX_ERROR_BYTES);
  } catch (error) {
    if (!signal.aborted) return toFailure(error).operator ?? "";
    const { maybePaid, operator = "" } = classify(reply.status, reply.headers, "");
    throw maybePaid ? signal.reason : unsent(signal.reason, operator);
  }
}

/** What the provider wants is for the key that it refused; whoever comes again may be served by another. */
function sooner(failure: Failure, otherwiseMs: number | undefined): Failure {
  if (failure.retryAfterMs !== undefined && otherwiseMs !== undefined)
    failure.retryAfterMs = Math.min(failure.retryAfterMs, otherwiseMs);
  return failure;
}

export function wishOf({ target, streaming, maxTokens, modelMaxTokens }: AttemptCall): Wish {
  return { model: target.model, stream: streaming, maxTokens, modelMaxTokens };
}

async function chat(call: AttemptCall, request: ChatRequest, dialect: Dialect, post: Post): Promise<Reply> {
  const wire = dialect.encode(request, wishOf(call));
  const reply = await post(wire, call.signal, sessionOf(call));
  const frames = frameReader(reply.headers["content-type"]?.toString() ?? "");
  return frames
    ? commit(call, dialect.decodeStream(reply.headers), frames, reply)
    : whole(call, dialect, reply);
}

function asking(format: EmbeddingFormat, post: Post): Ask {
  return async (wire, signal) => {
    const reply = await post(wire, signal, "");
    return format.decode(await reply.text(MAX_REPLY_BYTES), reply.headers);
  };
}

function refuseEmbeddings({ provider, model }: Target): never {
  const description = `${provider}/${model} makes no embeddings; name a model that does, such as openai/text-embedding-3-small`;
  throw invalidRequest([{ field: "model", description }]);
}

/** Others may wait for the same proof, so that it is left to come. */
function unlessAborted(proof: Proof | Promise<Proof>, signal: AbortSignal): Proof | Promise<Proof> {
  if (!(proof instanceof Promise)) return proof;
  return new Promise((resolve, reject) => {
    const leave = () => reject(unsent(signal.reason, "it was still waiting for the gateway's credentials"));
    if (signal.aborted) leave();
    signal.addEventListener("abort", leave, { once: true });
    proof.then(resolve, reject).finally(() => signal.removeEventListener("abort", leave));
  });
}

const JSON_BODY = { "content-type": "application/json" };

function withQuery(path: string, query: string): string {
  if (!query) return path;
  return `${path}${path.includes("?") ? "&" : "?"}${query}`;
}

/** A reply that is not a stream, though perhaps one was asked for. */
async function whole(call: AttemptCall, dialect: Dialect, reply: WireReply): Promise<Reply> {
  return replyOf(call, dialect.decodeReply(await reply.text(MAX_REPLY_BYTES), reply.headers));
}

/** @throws Failure where it stands in place of an answer; what was used is told to the attempt all the same */
export function replyOf(call: AttemptCall, decoded: Decoded): Reply {
  report(call, decoded);
  if (decoded.failure) throw decoded.failure;
  return { events: once(decoded.events) };
}

async function* once(batch: Batch): AsyncGenerator<Batch> {
  yield batch;
}

/**
 * Waits for a stream's first event with content, so that an error before it can
 * be cured elsewhere; for the whole of it when the call is a unary one.
 */
async function commit(
  call: AttemptCall,
  decoder: StreamDecoder,
  frames: FrameReader,
  reply: WireReply,
): Promise<Reply> {
  const batches = read(call, decoder, frames, reply);
  const head: Batch[] = [];
  for (let next = await batches.next(); !next.done; next = await batches.next()) {
    head.push(next.value);
    if (call.streaming && next.value.some(isContent)) break;
  }
  return { events: resume(head, batches) };
}

async function* resume(head: readonly Batch[], rest: AsyncGenerator<Batch>): AsyncGenerator<Batch> {
  try {
    yield* head;
    yield* rest;
  } finally {
    await rest.return(undefined);
  }
}

async function* read(
  call: AttemptCall,
  decoder: StreamDecoder,
  frames: FrameReader,
  reply: WireReply,
): AsyncGenerator<Batch> {
  try {
    for (let chunks = await reply.read(); chunks; chunks = await reply.read()) {
      const bytes = chunks;
      yield* decoded(call, decoder, (batch) => {
        for (const chunk of bytes) for (const data of frames.push(chunk)) batch.push(...decoder.push(data));
      });
    }
    yield* decoded(call, decoder, (batch) => {
      for (const data of frames.end()) batch.push(...decoder.push(data));
      batch.push(...decoder.end(frames.strayText));
    });
  } finally {
    reply.cancel();
  }
}

/** One batch. What came before a failure was said and paid for, so it is given before the failure is thrown. */
function* decoded(
  call: AttemptCall,
  decoder: StreamDecoder,
  decode: (batch: StreamResponse[]) => void,
): Generator<Batch> {
  const batch: StreamResponse[] = [];
  try {
    decode(batch);
  } finally {
    report(call, decoder);
    if (batch.length > 0) yield batch;
  }
}

function report(call: AttemptCall, { usage, servedModel }: Pick<Decoded, "usage" | "servedModel">): void {
  if (usage) call.attempt.usage = usage;
  if (servedModel) call.attempt.servedModel = servedModel;
}

/** Splits a base URL into what the pool and what each request needs. */
export function splitBaseUrl(baseUrl: string): { origin: string; basePath: string } {
  try {
    const { origin, pathname } = new URL(baseUrl);
    return { origin, basePath: pathname.replace(/\/+$/, "") };
  } catch (cause) {
    throw new Failure("provider_unavailable", `"${baseUrl}" is not a URL`, { cause });
  }
}
