/**
 * Families of models that split texts alike and wrap conversations alike, as a table: what each adds to the texts
 * themselves, before anything was measured. Which family a model is of is read off its name.
 */
import type { Features } from "./features.ts";
import type { TextShape } from "./text.ts";

/** Who is asked: how the provider is spoken to, such as `bedrock`, and its own name for the model. */
export interface Asked {
  readonly kind: string;
  readonly model: string;
}

export interface Family {
  readonly name: string;
  /** Tokens for each of o200k. */
  readonly text: number;
  /** On top of that, where the script is not Latin. */
  readonly foreign: number;
  /** Tokens around the conversation, and around each of its messages. */
  readonly base: number;
  readonly message: number;
  /** What tools bring with them: at all, when one must be called, for each, and for each token of them. */
  readonly tools: {
    readonly any: number;
    readonly forced?: number;
    readonly each: number;
    readonly text: number;
  };
  /** The same for the schema of the answer. */
  readonly schema: { readonly any: number; readonly text: number };
  /** When the model thinks before it answers. */
  readonly thinking: number;
  /** Standard deviation of the logarithm of what is measured over what is estimated. */
  readonly spread: number;
}

export function familyOf({ kind, model }: Asked): Family {
  return FAMILIES.find(([names]) => names.test(model))?.[1] ?? USUAL_FAMILY[kind] ?? UNKNOWN;
}

/** Tokens around the texts. */
export function tokensAround(family: Family, features: Features): number {
  if (!features.chat) return 0;
  const { tools, schema } = family;
  let tokens = family.base + family.message * features.messages;
  tokens += CALL * features.calls + features.sealedChars / CHARS_PER_SEALED_TOKEN;
  if (features.tools > 0) {
    tokens += (features.toolForced ? tools.forced : undefined) ?? tools.any;
    tokens += tools.each * features.tools + tools.text * textTokens(family, features.toolText);
  }
  if (features.schemaText) tokens += schema.any + schema.text * textTokens(family, features.schemaText);
  return features.thinking ? tokens + family.thinking : tokens;
}

export function textTokens(family: Family, { tokens, foreignTokens }: TextShape): number {
  return family.text * (tokens + family.foreign * foreignTokens);
}

/** Around a call and around its result, ids included. */
const CALL = 8;
/** A thought of one token is sealed in about so many characters. */
const CHARS_PER_SEALED_TOKEN = 8;

// Where a number has no source, it was read off recorded requests with measured usage (116 of them, by least
// relative error, one family at a time); what a family adds to tools and schemas, where few recordings show it, is
// rounded to the next five.

// https://cookbook.openai.com/examples/how_to_count_tokens_with_tiktoken: 3 for each message and its role, 3 before
// the answer; tools are retold in TypeScript.
const O200K: Family = {
  name: "openai-o200k",
  text: 1,
  foreign: 1,
  base: 3,
  message: 4,
  tools: { any: 3, each: 2, text: 0.95 },
  schema: { any: 2, text: 1 },
  thinking: 0,
  spread: 0.15,
};
const GPT_5: Family = {
  ...O200K,
  name: "openai-gpt-5",
  base: 2,
  tools: { any: 80, each: 5, text: 1.1 },
};
// The older encoding has fewer words of other scripts.
const CL100K: Family = { ...O200K, name: "openai-cl100k", text: 1.02, foreign: 1.7 };
// https://cookbook.openai.com/articles/openai-harmony: a system message stands before each conversation.
const GPT_OSS: Family = { ...O200K, name: "gpt-oss", base: 65, spread: 0.2 };
const OPENAI_EMBEDDING: Family = { ...CL100K, name: "openai-embedding", base: 0, message: 0 };

// https://docs.anthropic.com/en/docs/tool-use-pricing-and-tokens: tools bring a system prompt with them, whose length
// differs by model.
const CLAUDE: Family = {
  name: "claude",
  text: 1.1,
  foreign: 1.3,
  base: 3,
  message: 4,
  tools: { any: 325, each: 0, text: 1.5 },
  schema: { any: 120, text: 1.35 },
  thinking: 28,
  spread: 0.2,
};
const CLAUDE_3_SONNET: Family = { ...CLAUDE, tools: { ...CLAUDE.tools, any: 159, forced: 235 } };
const CLAUDE_3_OPUS: Family = { ...CLAUDE, tools: { ...CLAUDE.tools, any: 530, forced: 281 } };
const CLAUDE_3_HAIKU: Family = { ...CLAUDE, tools: { ...CLAUDE.tools, any: 264, forced: 340 } };
const CLAUDE_3_5_JUNE: Family = { ...CLAUDE, tools: { ...CLAUDE.tools, any: 294, forced: 261 } };
const CLAUDE_4_5: Family = { ...CLAUDE, name: "claude-4.5", tools: { ...CLAUDE.tools, any: 505 } };
// https://platform.claude.com/docs/en/about-claude/models/whats-new-claude-4-7: up to 1.35 times the tokens.
const CLAUDE_NEW: Family = { ...CLAUDE_4_5, name: "claude-4.7", text: 1.3, spread: 0.25 };
const CLAUDE_2: Family = { ...CLAUDE, name: "claude-2", spread: 0.25 };

const GEMINI: Family = {
  name: "gemini",
  text: 1,
  foreign: 1,
  base: 0,
  message: 0.4,
  tools: { any: 0, each: 4, text: 0.6 },
  // It is kept to and not read.
  schema: { any: 0, text: 0 },
  thinking: 0,
  spread: 0.25,
};

const MISTRAL: Family = {
  name: "mistral",
  text: 1.05,
  foreign: 1.2,
  base: 1,
  message: 2,
  tools: { any: 25, each: 5, text: 1.1 },
  schema: { any: 0, text: 0 },
  thinking: 14,
  spread: 0.25,
};
const MISTRAL_OLD: Family = { ...MISTRAL, name: "mistral-7b", text: 1.15, foreign: 2, spread: 0.3 };

const LLAMA: Family = {
  name: "llama",
  text: 1,
  foreign: 1.2,
  base: 3,
  message: 4,
  tools: { any: 120, each: 10, text: 1.2 },
  schema: { any: 0, text: 1 },
  thinking: 0,
  spread: 0.3,
};
// https://www.llama.com/docs/model-cards-and-prompt-formats/llama3_1: a system message with two dates is always there.
const LLAMA_3_1: Family = { ...LLAMA, name: "llama-3.1", base: 28 };
const LLAMA_2: Family = { ...LLAMA, name: "llama-2", text: 1.15, foreign: 2, base: 1, message: 0 };

const NOVA: Family = {
  name: "nova",
  text: 1.05,
  foreign: 1.3,
  base: 0,
  message: 1,
  tools: { any: 360, each: 0, text: 1.05 },
  schema: { any: 0, text: 1 },
  thinking: 95,
  spread: 0.25,
};
const TITAN: Family = { ...NOVA, name: "titan", text: 0.95, message: 1.5, spread: 0.3 };
const EMBEDDING: Family = { ...NOVA, name: "embedding", text: 1.1, message: 1, spread: 0.3 };
const COHERE: Family = {
  ...LLAMA,
  name: "cohere",
  text: 1.05,
  tools: { any: 300, each: 20, text: 1.5 },
  spread: 0.35,
};

/** Errs to the dear side. */
const UNKNOWN: Family = {
  name: "unknown",
  text: 1.15,
  foreign: 1.3,
  base: 8,
  message: 5,
  tools: { any: 120, each: 10, text: 1.2 },
  schema: { any: 30, text: 1 },
  thinking: 15,
  spread: 0.35,
};

/** By the models' names; the first that fits. */
const FAMILIES: readonly (readonly [RegExp, Family])[] = [
  [/^text-embedding-(?:3|ada)/, OPENAI_EMBEDDING],
  [/embed/, EMBEDDING],
  [/gpt-oss/, GPT_OSS],
  [/^(?:gpt-[5-9]|o[1-9])/, GPT_5],
  [/^gpt-(?:4-|4$|3\.5|35)/, CL100K],
  [/^(?:chatgpt|gpt)-/, O200K],
  [/claude-(?:v?[12]\b|instant)/, CLAUDE_2],
  [/claude-3-sonnet/, CLAUDE_3_SONNET],
  [/claude-3-opus/, CLAUDE_3_OPUS],
  [/claude-3(?:-5)?-haiku/, CLAUDE_3_HAIKU],
  [/claude-3-5-sonnet(?:-20240620|@20240620)/, CLAUDE_3_5_JUNE],
  [/claude-(?:3|[a-z]+-4(?:-[01]\b|-20|@|$))/, CLAUDE],
  [/claude-[a-z]+-4-[56]/, CLAUDE_4_5],
  [/claude/, CLAUDE_NEW],
  [/gemini|gemma/, GEMINI],
  [/mistral-7b|mixtral|mistral-(?:tiny|small-24|large-2402)/, MISTRAL_OLD],
  [/mistral|ministral|magistral|pixtral|codestral|devstral/, MISTRAL],
  [/llama-?2/, LLAMA_2],
  [/llama-?3[.-][1-3]/, LLAMA_3_1],
  [/llama/, LLAMA],
  [/nova/, NOVA],
  [/titan/, TITAN],
  [/cohere|command/, COHERE],
];

const USUAL_FAMILY: Readonly<Record<string, Family>> = {
  openai: GPT_5,
  claude: CLAUDE_NEW,
  gemini: GEMINI,
  mistral: MISTRAL,
};
