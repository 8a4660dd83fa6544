/** Which calls a round makes: every provider, every kind of answer, and callers who leave, by a seeded draw. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ParametersSchema } from "../../gen/ts/llmgateway/v1/message_pb.ts";
import { mulberry32, type Random } from "../../src/emulator/random.ts";
import { CALLERS, type ChatInit } from "../support/callers.ts";
import { below, pick } from "../support/mutation.ts";

/** One call. */
export interface Plan {
  /** By which it is known to its provider and in every book. */
  readonly mark: string;
  /** The caller's number in CALLERS. */
  readonly caller: number;
  readonly kind: "chat" | "stream" | "embed";
  readonly request: ChatInit;
  /** What is to be embedded. */
  readonly texts: readonly string[];
  /** Who is compared; undefined where nobody is. */
  readonly models?: readonly string[];
  readonly leaves: Leaving | undefined;
  readonly deadlineMs: number | undefined;
}

/** When the caller goes: after so many events of a stream, or so much time. */
export type Leaving = { readonly afterEvents: number } | { readonly afterMs: number };

export function plansOf(seed: number, count: number): Plan[] {
  const random = mulberry32(seed);
  return Array.from({ length: count }, (_, index) => planOf(random, `${seed}-${index}`));
}

export function planOf(random: Random, mark: string): Plan {
  const embeds = random() < 0.1;
  const kind = embeds ? "embed" : random() < 0.6 ? "stream" : "chat";
  const way = random();
  return {
    mark,
    caller: below(random, CALLERS.length),
    kind,
    request: embeds ? { model: pick(random, EMBEDDERS) } : chatOf(random, mark),
    texts: Array.from({ length: embeds ? 1 + below(random, 4) : 0 }, (_, at) => `${marked(mark)} Text ${at}`),
    leaves: way < 0.2 ? leavingOf(random, kind) : undefined,
    deadlineMs: way > 0.95 ? 20 + below(random, 200) : undefined,
  };
}

function leavingOf(random: Random, kind: Plan["kind"]): Leaving {
  return kind === "stream" && random() < 0.7
    ? { afterEvents: 1 + below(random, 20) }
    : { afterMs: below(random, 150) };
}

interface Shape {
  readonly model: string;
  readonly parameters?: MessageInitShape<typeof ParametersSchema>;
  readonly tools?: boolean;
  /** How long the provider shall keep the long beginning of the prompt, where it has to be told. */
  readonly cache?: "5m" | "1h";
}

const SHAPES: readonly Shape[] = [
  { model: "openai/gpt-4o" },
  { model: "openai/gpt-4o-mini", parameters: { choices: 2 } },
  { model: "openai/gpt-4.1", tools: true },
  { model: "openai/gpt-5-mini", parameters: { reasoningEffort: "low" } },
  { model: "openai/gpt-unheard-of" },
  { model: "claude/claude-sonnet-4-5", cache: "5m" },
  { model: "claude/claude-haiku-4-5", cache: "1h" },
  { model: "claude/claude-haiku-4-5", tools: true },
  { model: "claude/claude-sonnet-4-5", parameters: { reasoningBudgetTokens: 1_024, maxTokens: 2_000 } },
  { model: "gemini/gemini-2.5-flash", parameters: { reasoningBudgetTokens: 256 } },
  { model: "gemini/gemini-2.5-flash", parameters: { choices: 2 } },
  { model: "gemini/gemini-2.5-pro", tools: true },
  { model: "vertex_ai/gemini-2.0-flash" },
  { model: "vertex_ai/gemini-2.5-flash", tools: true },
  { model: "mistral/mistral-small-latest", parameters: { choices: 2 } },
  { model: "mistral/mistral-small-latest", tools: true },
  { model: "mistral/magistral-medium-latest" },
  { model: "bedrock/anthropic.claude-sonnet-4-5-20250929-v1:0", cache: "5m" },
  { model: "bedrock/amazon.nova-lite-v1:0", tools: true },
  { model: "bedrock/meta.llama3-3-70b-instruct-v1:0" },
];

/** One for each format in which vectors are asked for. */
export const EMBEDDERS: readonly string[] = [
  "openai/text-embedding-3-small",
  "gemini/gemini-embedding-001",
  "vertex_ai/text-embedding-005",
  "mistral/mistral-embed",
  "bedrock/amazon.titan-embed-text-v2:0",
  "bedrock/cohere.embed-english-v3",
];

/** Long enough for prompt caches, which begin at 1,024 tokens. */
const LONG = "You are a patient assistant who answers in few and simple words. ".repeat(100);

function chatOf(random: Random, mark: string): ChatInit {
  const { model, parameters = {}, tools = false, cache } = pick(random, SHAPES);
  const long = cache !== undefined || random() < 0.1;
  // The prompts begin alike only for some: so caches are written and read all through the round.
  const opening = { role: "system", content: `Team ${below(random, 300)}. ${long ? LONG : "Be brief."}` };
  const question = tools ? "Ask get_weather about Rome" : "Tell me something";
  const bound = random() < 0.3 ? { maxTokens: 300 + below(random, 200) } : {};
  return {
    model,
    messages: [
      cache === undefined ? opening : { ...opening, cache: { ttl: cache } },
      {
        role: "user",
        content: `${marked(mark)} ${question}, please, for the number ${below(random, 1_000)}`,
      },
    ],
    parameters: { ...bound, ...parameters },
    ...(tools ? { tools: [WEATHER] } : {}),
    metadata: { mark },
  };
}

export const WEATHER = {
  name: "get_weather",
  description: "Tells the weather in a city.",
  parametersJson: '{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}',
};

function marked(mark: string): string {
  return `[[emulate: mark=${mark}]]`;
}
