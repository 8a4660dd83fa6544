/** What of a prompt is read from and written to the prompt cache, where only marked prompts reach it. */
import { type Fault, refuses } from "../fault.ts";
import type { Stage } from "../format.ts";
import type { AcceptedInput } from "../play.ts";
import type { Prompt } from "../script.ts";

export interface Marked {
  readonly model: string;
  readonly prompt: Pick<Prompt, "turns">;
  /** For how long; undefined without a mark. */
  readonly cache: "5m" | "1h" | undefined;
}

/** A prompt that will not be answered reaches it neither. */
export function markedInput(
  { model, prompt, cache }: Marked,
  inputTokens: number,
  stage: Stage,
  fault: Fault | undefined,
): AcceptedInput {
  if (cache === undefined || (fault !== undefined && refuses(fault)))
    return { inputTokens, cachedInputTokens: 0, cacheWriteTokens: 0 };
  const text = () => prompt.turns.map((turn) => `${turn.role}\n${turn.text}\n`).join("");
  const { cachedTokens, writtenTokens } = stage.promptCache.observe(model, inputTokens, text);
  return {
    inputTokens,
    cachedInputTokens: cachedTokens,
    cacheWriteTokens: writtenTokens,
    cacheWrite1hTokens: cache === "1h" ? writtenTokens : 0,
  };
}
