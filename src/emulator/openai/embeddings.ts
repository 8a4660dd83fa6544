/** OpenAI's embeddings: what may be asked for, and the vectors in both of their encodings. */
import type { CreateEmbeddingResponse } from "openai/resources/embeddings";
import { isObject } from "../json.ts";
import { countTokens } from "../tokens.ts";
import { embed } from "../vectors.ts";
import { Refusal } from "./errors.ts";

export interface EmbeddingRequest {
  readonly model: string;
  /** Texts, or token ids written as words. */
  readonly inputs: readonly string[];
  readonly inputTokens: number;
  readonly dimensions: number;
  readonly base64: boolean;
}

/** Throws Refusal for a missing or empty input, an unknown encoding or impossible dimensions. */
export function decodeEmbedding(body: Readonly<Record<string, unknown>>, model: string): EmbeddingRequest {
  const { input, dimensions: asked, encoding_format: encoding = "float" } = body;
  const inputs = decodeInput(input);
  const most = DIMENSIONS.get(model) ?? DEFAULT_DIMENSIONS;
  const dimensions = asked ?? most;
  if (typeof dimensions !== "number" || !Number.isInteger(dimensions) || dimensions < 1) {
    throw new Refusal(400, `${dimensions} is less than the minimum of 1 - 'dimensions'`);
  }
  if (dimensions > most) {
    throw new Refusal(400, `${dimensions} is greater than the maximum of ${most} - 'dimensions'`);
  }
  if (encoding !== "float" && encoding !== "base64") {
    throw new Refusal(400, `'${encoding}' is not one of ['float', 'base64'] - 'encoding_format'`);
  }
  return {
    model,
    inputs: inputs.map((one) => one.words),
    inputTokens: inputs.reduce((sum, one) => sum + one.tokens, 0),
    dimensions,
    base64: encoding === "base64",
  };
}

/** `usage: false` leaves the usage out. */
export function encodeEmbedding(
  request: EmbeddingRequest,
  inputs: readonly string[],
  usage: boolean,
): string {
  const { model, inputTokens } = request;
  const data = inputs.map((text, index) => {
    const vector = embed(text, request.dimensions);
    const embedding = request.base64
      ? Buffer.from(vector.buffer).toString("base64")
      : Array.from(vector, rounded);
    return { object: "embedding", index, embedding };
  });
  const reply: Omit<CreateEmbeddingResponse, "data"> = {
    object: "list",
    model,
    usage: { prompt_tokens: inputTokens, total_tokens: inputTokens },
  };
  return JSON.stringify({ ...reply, data, ...(usage ? {} : { usage: undefined }) });
}

const DEFAULT_DIMENSIONS = 1_536;
const DIMENSIONS: ReadonlyMap<string, number> = new Map([
  ["text-embedding-3-large", 3_072],
  ["mistral-embed", 1_024],
]);

interface Input {
  readonly words: string;
  readonly tokens: number;
}

function decodeInput(input: unknown): Input[] {
  if (input === undefined || input === null) {
    throw new Refusal(400, "Missing required parameter: 'input'.", "missing_required_parameter", "input");
  }
  const list = Array.isArray(input) && typeof input[0] !== "number" ? input : [input];
  const inputs = list.map(decodeOne);
  if (inputs.length === 0 || inputs.some((one) => one.tokens === 0)) {
    throw new Refusal(
      400,
      "Invalid 'input': input cannot be an empty string or array.",
      "invalid_value",
      "input",
    );
  }
  return inputs;
}

function decodeOne(input: unknown): Input {
  if (typeof input === "string") return { words: input, tokens: countTokens(input) };
  if (Array.isArray(input) && input.every((token) => Number.isInteger(token))) {
    return { words: input.join(" "), tokens: input.length };
  }
  const got = isObject(input) ? "an object" : `a ${typeof input}`;
  throw new Refusal(
    400,
    `Invalid type for 'input': expected a string or token ids, but got ${got}.`,
    "invalid_type",
    "input",
  );
}

/** OpenAI writes eight digits or so; a 32-bit float holds no more. */
function rounded(value: number): number {
  return Number(value.toPrecision(8));
}
