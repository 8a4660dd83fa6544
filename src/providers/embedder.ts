/**
 * Embeddings of any number of texts, by as many requests to the provider as its
 * format needs. To the rest of the gateway they are one attempt: all succeed, or
 * the attempt fails and has used what the requests until then used.
 */
import type { Embedding, EmbedRequest } from "../../gen/ts/llmgateway/v1/embed_pb.ts";
import type { Usage } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import type { AttemptCall } from "../core/call.ts";
import { tellDropped } from "../core/droppable.ts";
import { Failure, invalidRequest, toFailure } from "../core/failure.ts";
import { embedded, type Reply } from "../core/reply.ts";
import { estimateTextTokens } from "../core/tokens.ts";
import { sumOf, usage } from "../core/usage.ts";
import type { EmbeddingFormat, Embeddings, WireBody } from "./dialect.ts";
import { malformed } from "./malformed.ts";

/** Makes a request and reads its reply, decoded; or throws what became of it. */
export type Ask = (wire: WireBody, signal: AbortSignal) => Promise<Embeddings>;

/** Requests under way at a time: enough for models that take one text each, and no storm for a provider's limits. */
const MAX_UNDER_WAY = 8;

export async function embed(
  call: AttemptCall,
  request: EmbedRequest,
  format: EmbeddingFormat,
  ask: Ask,
): Promise<Reply> {
  const inputType = inputTypeOf(call, request, format);
  const { model } = call.target;
  // Every share is encoded before the first is sent: what cannot be told costs nothing.
  const shares = sharesOf(request.input, format).map((share) => ({
    ...share,
    wire: format.encode(request, { model, texts: share.texts, inputType }),
  }));
  return embedded(await new Embedder(call, shares, ask).run());
}

/** A hint that nobody takes is told to the caller; one that is taken for others, but not for this, is wrong. */
function inputTypeOf(
  call: AttemptCall,
  { inputType }: EmbedRequest,
  { inputTypes }: EmbeddingFormat,
): string | undefined {
  if (!inputType) return undefined;
  if (!inputTypes) {
    tellDropped("input_type", call.tally);
    return undefined;
  }
  if (Object.hasOwn(inputTypes, inputType)) return inputTypes[inputType];
  const known = Object.keys(inputTypes).join(", ");
  throw invalidRequest([
    { field: "input_type", description: `is not known to this model; it knows ${known}` },
  ]);
}

/** The texts of one request. */
interface Share {
  /** Of the first, among all. */
  readonly index: number;
  readonly texts: string[];
  /** Estimated. */
  tokens: number;
}

function sharesOf(input: readonly string[], { maxTexts, maxTokens = Infinity }: EmbeddingFormat): Share[] {
  const shares: Share[] = [];
  for (const [index, text] of input.entries()) {
    const tokens = estimateTextTokens(text);
    const last = shares.at(-1);
    if (last && last.texts.length < maxTexts && last.tokens + tokens <= maxTokens) {
      last.texts.push(text);
      last.tokens += tokens;
    } else shares.push({ index, texts: [text], tokens });
  }
  return shares;
}

interface Encoded extends Share {
  readonly wire: WireBody;
}

class Embedder {
  private readonly call: AttemptCall;
  private readonly ask: Ask;
  private readonly shares: readonly Encoded[];
  private readonly queue: Iterator<Encoded>;
  private readonly stop = new AbortController();
  private readonly signal: AbortSignal;
  private readonly embeddings: Embedding[] = [];
  private readonly used: Usage[] = [];
  private failure: Failure | undefined;

  constructor(call: AttemptCall, shares: readonly Encoded[], ask: Ask) {
    this.call = call;
    this.ask = ask;
    this.shares = shares;
    this.queue = shares.values();
    this.signal = AbortSignal.any([call.signal, this.stop.signal]);
  }

  /** In the order of the input. */
  async run(): Promise<readonly Embedding[]> {
    const lanes = Math.min(this.shares.length, MAX_UNDER_WAY);
    await Promise.all(Array.from({ length: lanes }, () => this.work()));
    if (this.used.length > 0) this.call.attempt.usage = sumOf(this.used);
    if (this.failure) throw this.failure;
    return this.embeddings;
  }

  /** One request after the other, until none is left or one has failed. */
  private async work(): Promise<void> {
    for (let next = this.queue.next(); !next.done && !this.failure; next = this.queue.next()) {
      await this.serve(next.value).catch((error: unknown) => this.fail(error));
    }
  }

  private async serve(share: Encoded): Promise<void> {
    let used: Usage | undefined;
    try {
      const { vectors, usage, servedModel } = await this.ask(share.wire, this.signal);
      used = usage ?? estimated(share);
      if (servedModel) this.call.attempt.servedModel = servedModel;
      this.take(share, vectors);
    } catch (error) {
      if (toFailure(error).maybePaid) used ??= estimated(share);
      throw error;
    } finally {
      if (used) this.used.push(used);
    }
  }

  private take({ index, texts }: Share, vectors: readonly number[][]): void {
    if (vectors.length !== texts.length)
      throw malformed("not as many embeddings as texts", `${vectors.length} for ${texts.length}`);
    for (const [place, values] of vectors.entries()) {
      const at = index + place;
      this.embeddings[at] = { $typeName: "llmgateway.v1.Embedding", index: at, values };
    }
  }

  /** The first failure stands, and ends what else is under way. */
  private fail(error: unknown): void {
    if (this.failure) return;
    this.failure = toFailure(error);
    this.stop.abort(new Failure("cancelled", "another request of the same attempt failed"));
  }
}

function estimated({ tokens }: Share): Usage {
  return usage("estimated", { inputTokens: tokens });
}
