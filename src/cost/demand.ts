/** What a request will make a provider read and write, as far as the request itself shows it. It knows no price. */
import type { ModelRequest } from "../core/call.ts";
import { estimateTextTokens } from "../core/tokens.ts";
import { estimateInputTokens } from "./tokens.ts";

export interface Demand {
  readonly inputTokens: number;
  /** How many answers are written: none for embeddings. */
  readonly answers: number;
  /** The most tokens that each of them may have; undefined when the caller sets no limit. */
  readonly maxTokens: number | undefined;
}

/** @param count asked for each text */
export function demandOf(
  request: ModelRequest,
  count: (text: string) => number = estimateTextTokens,
): Demand {
  if (request.$typeName === "llmgateway.v1.EmbedRequest") {
    const inputTokens = request.input.reduce((sum, text) => sum + count(text), 0);
    return { inputTokens, answers: 0, maxTokens: undefined };
  }
  const { maxTokens, choices = 1 } = request.parameters ?? {};
  return { inputTokens: estimateInputTokens(request, count), answers: choices, maxTokens };
}
