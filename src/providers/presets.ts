/**
 * Who speaks like OpenAI, and in what each departs from it: one row of data each, with where it is written. What an
 * entry of the configuration says wins over its row.
 */
import type { OpenAiTraits } from "./openai/traits.ts";

export interface Preset extends Pick<OpenAiTraits, "maxTokensField" | "streamUsage"> {
  /** As people write it. */
  readonly title: string;
  /** Empty where only its user knows it. */
  readonly baseUrl: string;
  /** Empty where no key is needed. */
  readonly apiKeyEnv: string;
  /** Header that carries the key as it is; empty for `Authorization: Bearer`. */
  readonly keyHeader: string;
  /** Empty where the models are its user's own, or come and go. */
  readonly defaultModel: string;
  /** How it takes the conversation. */
  readonly messages: Pick<OpenAiTraits, "developerRole" | "thoughtsField" | "maxCallIdChars">;
  /** How a base URL ends below which each model has a path of its own. */
  readonly deploymentsBelow?: string;
}

/** "Invalid 'messages[2].tool_calls[0].id': string too long. Expected a string with maximum length 40" */
export const MAX_CALL_ID_CHARS = 40;

/** What holds for most of them. */
const USUAL = {
  apiKeyEnv: "",
  keyHeader: "",
  defaultModel: "",
  maxTokensField: "max_tokens",
  streamUsage: true,
  messages: { developerRole: false },
} as const;

export const PRESETS: Readonly<Record<string, Preset>> = {
  // https://learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle: the v1 API, whose base URL ends in
  // /openai/v1, takes the deployment as the model and needs no api-version. Below /openai are the older paths.
  azure: {
    ...USUAL,
    title: "Azure OpenAI",
    baseUrl: "",
    apiKeyEnv: "AZURE_OPENAI_API_KEY",
    keyHeader: "api-key",
    maxTokensField: "max_completion_tokens",
    messages: { maxCallIdChars: MAX_CALL_ID_CHARS },
    deploymentsBelow: "/openai",
  },
  // https://api-docs.deepseek.com/guides/thinking_mode: after a turn with tool calls its thoughts must come back, or
  // the answer is a 400; elsewhere they are ignored.
  deepseek: {
    ...USUAL,
    title: "DeepSeek",
    baseUrl: "https://api.deepseek.com/v1",
    apiKeyEnv: "DEEPSEEK_API_KEY",
    defaultModel: "deepseek-v4-flash",
    messages: { developerRole: false, thoughtsField: "reasoning_content" },
  },
  // https://console.groq.com/docs/api-reference#chat-create: max_tokens is the older name.
  groq: {
    ...USUAL,
    title: "Groq",
    baseUrl: "https://api.groq.com/openai/v1",
    apiKeyEnv: "GROQ_API_KEY",
    maxTokensField: "max_completion_tokens",
  },
  // https://docs.ollama.com/api/openai-compatibility: the key is ignored.
  ollama: { ...USUAL, title: "Ollama", baseUrl: "http://127.0.0.1:11434/v1" },
  // https://openrouter.ai/docs/use-cases/reasoning-tokens: thoughts come, and may go back, in `reasoning`.
  openrouter: {
    ...USUAL,
    title: "OpenRouter",
    baseUrl: "https://openrouter.ai/api/v1",
    apiKeyEnv: "OPENROUTER_API_KEY",
    defaultModel: "openrouter/auto",
    messages: { developerRole: false, thoughtsField: "reasoning" },
  },
  // https://docs.together.ai/docs/openai-api-compatibility
  together: {
    ...USUAL,
    title: "Together AI",
    baseUrl: "https://api.together.ai/v1",
    apiKeyEnv: "TOGETHER_API_KEY",
  },
  // https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html: the port is that of `vllm serve`. One that
  // was started with --api-key needs api_key_env in the configuration.
  vllm: { ...USUAL, title: "vLLM", baseUrl: "http://127.0.0.1:8000/v1" },
  // https://docs.x.ai/docs/api-reference#chat-completions: max_tokens is the older name. Thoughts are counted beside
  // the answer, which the reading of usage allows for.
  xai: {
    ...USUAL,
    title: "xAI",
    baseUrl: "https://api.x.ai/v1",
    apiKeyEnv: "XAI_API_KEY",
    defaultModel: "grok-4",
    maxTokensField: "max_completion_tokens",
  },
};
