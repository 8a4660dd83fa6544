/** Embeddings as Gemini has them in a batch, and as Vertex AI predicts them. */

import { asObject, type Fields } from "../json.ts";
import { countTokens } from "../tokens.ts";
import { embed } from "../vectors.ts";
import { pretty, Refusal } from "./errors.ts";

export interface EmbeddingRequest {
  readonly inputs: readonly string[];
  readonly dimensions: number;
}

const DEFAULT_DIMENSIONS = 768;
const MOST_DIMENSIONS = 3_072;

/** `batchEmbedContents`. Throws Refusal for an empty batch or impossible dimensions. */
export function decodeBatch({ requests }: Fields): EmbeddingRequest {
  const batch = (Array.isArray(requests) ? requests : []).map(asObject);
  if (batch.length === 0)
    throw new Refusal("* BatchEmbedContentsRequest.requests: at least one request is required\n");
  const inputs = batch.map(({ content }) => {
    const { parts } = asObject(content);
    return (Array.isArray(parts) ? parts : []).map((part) => String(asObject(part).text ?? "")).join("");
  });
  return { inputs, dimensions: dimensionsOf(batch[0]?.outputDimensionality) };
}

/** `predict`. Throws Refusal as `decodeBatch` does. */
export function decodeInstances({ instances, parameters }: Fields): EmbeddingRequest {
  const given = (Array.isArray(instances) ? instances : []).map(asObject);
  if (given.length === 0) throw new Refusal("Empty instances.");
  return {
    inputs: given.map(({ content }) => String(content ?? "")),
    dimensions: dimensionsOf(asObject(parameters).outputDimensionality),
  };
}

export function inputTokensOf({ inputs }: EmbeddingRequest): number {
  return inputs.reduce((sum, input) => sum + countTokens(input), 0);
}

/**
 * Gemini reports no usage here.
 *
 * @param texts the inputs without what directs the emulator
 */
export function encodeBatch({ dimensions }: EmbeddingRequest, texts: readonly string[]): string {
  return pretty({ embeddings: texts.map((text) => ({ values: valuesOf(text, dimensions) })) });
}

/**
 * @param texts the inputs without what directs the emulator, which counts all the same
 * @param usage false leaves the counts out
 */
export function encodePredictions(
  { inputs, dimensions }: EmbeddingRequest,
  texts: readonly string[],
  usage: boolean,
): string {
  const predictions = inputs.map((input, index) => ({
    embeddings: {
      values: valuesOf(texts[index] ?? input, dimensions),
      ...(usage ? { statistics: { token_count: countTokens(input), truncated: false } } : {}),
    },
  }));
  const billableCharacterCount = inputs.join("").replaceAll(/\s/g, "").length;
  return pretty({ predictions, metadata: { billableCharacterCount } });
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
