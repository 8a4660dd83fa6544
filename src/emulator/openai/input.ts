/** What a prompt counts, and how much of it the prompt cache knew. */
import { type Fault, refuses } from "../fault.ts";
import type { Stage } from "../format.ts";
import type { AcceptedInput } from "../play.ts";
import type { ChatRequest } from "./request.ts";

/** Only prompts that will be answered reach the prompt cache. */
export function acceptedInput(
  { model, prompt }: ChatRequest,
  inputTokens: number,
  stage: Stage,
  fault: Fault | undefined,
): AcceptedInput {
  if (fault !== undefined && refuses(fault))
    return { inputTokens, cachedInputTokens: 0, cacheWriteTokens: 0 };
  const text = () => prompt.turns.map((turn) => `${turn.role}\n${turn.text}\n`).join("");
  const { cachedTokens, writtenTokens } = stage.promptCache.observe(model, inputTokens, text);
  return { inputTokens, cachedInputTokens: cachedTokens, cacheWriteTokens: writtenTokens };
}
