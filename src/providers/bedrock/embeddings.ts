/** Embeddings by Bedrock's InvokeModel, in the formats of Titan and of Cohere. */
import type { IncomingHttpHeaders } from "node:http";
import type { EmbedRequest } from "../../../gen/ts/llmgateway/v1/embed_pb.ts";
import type { EmbeddingFormat, Embeddings, EmbedWish, WireBody } from "../dialect.ts";
import { addedFields } from "../extra_body.ts";
import { isObject, malformed, parseObject } from "../malformed.ts";
import { count } from "../values.ts";
import { vectorOf } from "../vector.ts";
import { modelName } from "./model.ts";
import { figures, headerFigures, usageOf } from "./usage.ts";

/** Undefined for models that make none, or in a format of their own. */
export function bedrockEmbeddings(model: string): EmbeddingFormat | undefined {
  const { vendor, name } = modelName(model);
  if (vendor === "amazon" && name.startsWith("titan-embed-")) return TITAN;
  return vendor === "cohere" && name.startsWith("embed-") ? COHERE : undefined;
}

/** https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-text.html */
const TITAN: EmbeddingFormat = { maxTexts: 1, encode: encodeTitan, decode: decodeTitan };

/** https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-embed.html */
const COHERE: EmbeddingFormat = {
  maxTexts: 96,
  inputTypes: {
    query: "search_query",
    document: "search_document",
    classification: "classification",
    clustering: "clustering",
  },
  encode: encodeCohere,
  decode: decodeCohere,
};

function encodeTitan(request: EmbedRequest, { model, texts }: EmbedWish): WireBody {
  const added = addedFields(request.extraBody, ["inputText", "dimensions", "embeddingTypes"]);
  const [inputText] = texts;
  return invoke(model, { inputText, dimensions: request.dimensions, ...added });
}

/** These models want to know what for; without a word, to be found. */
function encodeCohere(request: EmbedRequest, { model, texts, inputType = "search_document" }: EmbedWish) {
  const added = addedFields(request.extraBody, [
    "texts",
    "input_type",
    "output_dimension",
    "embedding_types",
  ]);
  return invoke(model, { texts, input_type: inputType, output_dimension: request.dimensions, ...added });
}

function invoke(model: string, body: object): WireBody {
  return { path: `/model/${encodeURIComponent(model)}/invoke`, body: JSON.stringify(body) };
}

/**
 * The first Titan counts the text in the headers alone.
 *
 * @throws Failure `malformed_reply`
 */
export function decodeTitan(body: string, headers: IncomingHttpHeaders): Embeddings {
  const reply: { readonly embedding?: unknown; readonly inputTextTokenCount?: unknown } = parseObject(body);
  const vector = vectorOf(reply.embedding);
  if (!vector) throw malformed("not an embedding", body);
  const counted = { ...headerFigures(headers), ...figures({ input: count(reply.inputTextTokenCount) }) };
  return { vectors: [vector], usage: usageOf(counted), servedModel: "" };
}

/**
 * A list of vectors, or such a list by the type of its numbers.
 *
 * @throws Failure `malformed_reply`
 */
export function decodeCohere(body: string, headers: IncomingHttpHeaders): Embeddings {
  const { embeddings }: { readonly embeddings?: unknown } = parseObject(body);
  const { float }: { readonly float?: unknown } = isObject(embeddings) ? embeddings : { float: embeddings };
  if (!Array.isArray(float)) throw malformed("embeddings without a list", body);
  const vectors = float.map((item: unknown) => {
    const vector = vectorOf(item);
    if (!vector) throw malformed("not an embedding", body);
    return vector;
  });
  return { vectors, usage: usageOf(headerFigures(headers)), servedModel: "" };
}
