/** Titan's embeddings by Bedrock's InvokeModel: one text a call, and its vector out of the reply. */
import type { IncomingHttpHeaders } from "node:http";
import { invalidRequest } from "../../core/failure.ts";
import type { WireBody } from "../dialect.ts";
import { type EmbeddingRequest, type Embeddings, vectorOf } from "../embedding.ts";
import { malformed, parseObject } from "../malformed.ts";
import { count } from "../values.ts";
import { figures, headerFigures, usageOf } from "./usage.ts";

interface Reply {
  readonly embedding?: unknown;
  readonly inputTextTokenCount?: unknown;
}

/** @throws Failure `invalid_request` for anything but one text */
export function encodeEmbedding({ model, input, dimensions }: EmbeddingRequest): WireBody {
  const [inputText] = input;
  if (inputText === undefined || input.length > 1)
    throw invalidRequest([{ field: "input", description: "this model takes one text a call" }]);
  const path = `/model/${encodeURIComponent(model)}/invoke`;
  return { path, body: JSON.stringify({ inputText, dimensions }) };
}

/**
 * The first Titan counts the text in the headers alone.
 *
 * @throws Failure `malformed_reply`
 */
export function decodeEmbedding(body: string, headers: IncomingHttpHeaders): Embeddings {
  const reply: Reply = parseObject(body);
  const vector = vectorOf(reply.embedding);
  if (!vector) throw malformed("not an embedding", body);
  const counted = { ...headerFigures(headers), ...figures({ input: count(reply.inputTextTokenCount) }) };
  return { vectors: [vector], usage: usageOf(counted), servedModel: "" };
}
