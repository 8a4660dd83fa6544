/** In what OpenAI and those who speak like it differ. It names none of them. */

export interface OpenAiTraits {
  /** OpenAI's reasoning models refuse `max_tokens`; most others know no other. */
  readonly maxTokensField: "max_completion_tokens" | "max_tokens";
  /** Whether `stream_options.include_usage` is understood. */
  readonly streamUsage: boolean;
  /** False where there is no role `developer`, whose instructions are then the system's. */
  readonly developerRole?: boolean;
  /** The field of an assistant's message in which thoughts go back; absent where they are not taken. */
  readonly thoughtsField?: "reasoning_content" | "reasoning";
  /** The longest id that a call may have; absent for any. */
  readonly maxCallIdChars?: number;
  /** Whether each model has a path of its own, as Azure's deployments once had. */
  readonly deployments?: boolean;
}
