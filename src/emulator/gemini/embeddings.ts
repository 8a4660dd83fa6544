/** Embeddings as Gemini has them in a batch, as Vertex AI predicts them, and of one content as its newer models have them. */

import { asObject, type Fields } from "../json.ts";
import { countTokens } from "../tokens.ts";
import { embed } from "../vectors.ts";
import { pretty, Refusal } from "./errors.ts";

export interface EmbeddingRequest {
  readonly inputs: readonly string[];
  readonly dimensions: number;
}

/** How one call has them. */
export interface EmbeddingWay {
  /** Throws Refusal for an empty request or impossible dimensions. */
  decode(body: Fields): EmbeddingRequest;
  /**
   * @param texts the inputs without what directs the emulator, which counts all the same
   * @param usage false leaves the counts out
   */
  encode(asked: EmbeddingRequest, texts: readonly string[], usage: boolean): string;
}

const DEFAULT_DIMENSIONS = 768;
const MOST_DIMENSIONS = 3_072;

/** Gemini reports no usage here. */
export const BATCH: EmbeddingWay = {
  decode({ requests }) {
    const batch = (Array.isArray(requests) ? requests : []).map(asObject);
    if (batch.length === 0)
      throw new Refusal("* BatchEmbedContentsRequest.requests: at least one request is required\n");
    const inputs = batch.map(({ content }) => textOf(content));
    return { inputs, dimensions: dimensionsOf(batch[0]?.outputDimensionality) };
  },
  encode({ dimensions }, texts) {
    return pretty({ embeddings: texts.map((text) => ({ values: valuesOf(text, dimensions) })) });
  },
};

export const PREDICTION: EmbeddingWay = {
  decode({ instances, parameters }) {
    const given = (Array.isArray(instances) ? instances : []).map(asObject);
    if (given.length === 0) throw new Refusal("Empty instances.");
    return {
      inputs: given.map(({ content }) => String(content ?? "")),
      dimensions: dimensionsOf(asObject(parameters).outputDimensionality),
    };
  },
  encode({ inputs, dimensions }, texts, usage) {
    const predictions = inputs.map((input, index) => ({
      embeddings: {
        values: valuesOf(texts[index] ?? input, dimensions),
        ...(usage ? { statistics: { token_count: countTokens(input), truncated: false } } : {}),
      },
    }));
    const billableCharacterCount = inputs.join("").replaceAll(/\s/g, "").length;
    return pretty({ predictions, metadata: { billableCharacterCount } });
  },
};

/** `embedContent`, whose settings have a place of their own on Vertex AI. */
export const CONTENT: EmbeddingWay = {
  decode({ content, embedContentConfig, outputDimensionality: asked }) {
    if (content === undefined)
      throw new Refusal("* EmbedContentRequest.content: contents is not specified\n");
    const { outputDimensionality } = asObject(embedContentConfig);
    return { inputs: [textOf(content)], dimensions: dimensionsOf(asked ?? outputDimensionality) };
  },
  encode(asked, [text = ""], usage) {
    const tokens = inputTokensOf(asked);
    const usageMetadata = { promptTokenCount: tokens, totalTokenCount: tokens };
    const embedding = { values: valuesOf(text, asked.dimensions) };
    return pretty({ embedding, ...(usage && { usageMetadata }), truncated: false });
  },
};

export function inputTokensOf({ inputs }: EmbeddingRequest): number {
  return inputs.reduce((sum, input) => sum + countTokens(input), 0);
}

function textOf(content: unknown): string {
  const { parts } = asObject(content);
  return (Array.isArray(parts) ? parts : []).map((part) => String(asObject(part).text ?? "")).join("");
}

function valuesOf(input: string, dimensions: number): number[] {
  return Array.from(embed(input, dimensions), (value) => Number(value.toPrecision(8)));
}

function dimensionsOf(asked: unknown): number {
  if (asked === undefined || asked === null) return DEFAULT_DIMENSIONS;
  if (typeof asked !== "number" || !Number.isInteger(asked) || asked < 1 || asked > MOST_DIMENSIONS)
    throw new Refusal(`output_dimensionality must be between 1 and ${MOST_DIMENSIONS}`);
  return asked;
}
