/** OpenAI's `POST /embeddings`: the request, and vectors out of the reply. */
import type { CompletionUsage } from "openai/resources/completions";
import type { EmbeddingCreateParams } from "openai/resources/embeddings";
import type { EmbedRequest } from "../../../gen/ts/llmgateway/v1/embed_pb.ts";
import type { EmbeddingFormat, Embeddings, EmbedWish, WireBody } from "../dialect.ts";
import { addedFields } from "../extra_body.ts";
import { isObject, malformed, parseObject } from "../malformed.ts";
import { vectorOf } from "../vector.ts";
import { classifyInReply } from "./classify.ts";
import { decodeUsage } from "./usage.ts";

/** https://platform.openai.com/docs/api-reference/embeddings/create */
export const openaiEmbeddings: EmbeddingFormat = {
  maxTexts: 2_048,
  // OpenAI's own limit is 300,000 by its own count; the gateway's is an estimate.
  maxTokens: 200_000,
  encode: encodeEmbedding,
  decode: decodeEmbedding,
};

interface Reply {
  readonly data?: unknown;
  readonly model?: unknown;
  readonly usage?: Partial<CompletionUsage>;
}

const RESERVED: readonly string[] = ["model", "input", "dimensions"];

/**
 * Base64 is a third of the size of numbers in JSON. A server that does not know
 * it sends those, and one that refuses it can be asked for them by `extra_body`.
 */
export function encodeEmbedding(request: EmbedRequest, { model, texts }: EmbedWish): WireBody {
  const { dimensions, extraBody } = request;
  const added = addedFields(extraBody, RESERVED);
  const body: EmbeddingCreateParams = { model, input: [...texts], encoding_format: "base64" };
  if (dimensions !== undefined) body.dimensions = dimensions;
  return { path: "/embeddings", body: JSON.stringify({ ...body, ...added }) };
}

/** @throws Failure `malformed_reply`, or what an `error` inside the reply stands for */
export function decodeEmbedding(body: string): Embeddings {
  const reply: Reply = parseObject(body);
  const failure = classifyInReply(reply);
  if (failure) throw failure;
  if (!Array.isArray(reply.data)) throw malformed("embeddings without data", body);
  const vectors: number[][] = [];
  for (const [place, item] of reply.data.entries()) {
    const { index = place, embedding }: { index?: unknown; embedding?: unknown } = isObject(item) ? item : {};
    const vector = decodeVector(embedding);
    if (!vector || !isPlace(index, reply.data.length) || vectors[index])
      throw malformed("not an embedding", body);
    vectors[index] = vector;
  }
  return {
    vectors,
    usage: reply.usage ? decodeUsage(counted(reply.usage), undefined) : undefined,
    servedModel: typeof reply.model === "string" ? reply.model : "",
  };
}

/** Voyage tells the sum alone, which is that of the texts. */
function counted(usage: NonNullable<Reply["usage"]>): NonNullable<Reply["usage"]> {
  const { prompt_tokens, total_tokens } = usage;
  return prompt_tokens === undefined && total_tokens !== undefined
    ? { ...usage, prompt_tokens: total_tokens }
    : usage;
}

function isPlace(index: unknown, length: number): index is number {
  return Number.isInteger(index) && (index as number) >= 0 && (index as number) < length;
}

function decodeVector(embedding: unknown): number[] | undefined {
  if (typeof embedding !== "string") return vectorOf(embedding);
  const bytes = Buffer.from(embedding, "base64");
  if (bytes.length % 4 !== 0) return undefined;
  const vector = new Array<number>(bytes.length / 4);
  for (let i = 0; i < vector.length; i++) vector[i] = bytes.readFloatLE(i * 4);
  return vectorOf(vector);
}
