/** What the gateway asks for and gets when texts become vectors, whichever provider makes them. */
import type { Usage } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";

export interface EmbeddingRequest {
  readonly model: string;
  readonly input: readonly string[];
  /** Length of the vectors, where the model can shorten them. */
  readonly dimensions?: number;
}

export interface Embeddings {
  /** In the order of the input. */
  readonly vectors: Float32Array[];
  /** Undefined when the provider reported none. */
  readonly usage: Usage | undefined;
  /** Empty when the provider does not say. */
  readonly servedModel: string;
}

/** Undefined for what is no list of numbers. */
export function vectorOf(values: unknown): Float32Array | undefined {
  return Array.isArray(values) && values.every((value) => typeof value === "number")
    ? Float32Array.from(values)
    : undefined;
}
