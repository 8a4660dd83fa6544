/** Encodes a script as Mistral's unary reply, and the parts that it shares with the stream: head, thoughts and usage. */
import type { ContentChunk$Outbound, ToolCall$Outbound } from "@mistralai/mistralai/models/components";
import type { Arrival } from "../exchange.ts";
import { type EmbeddingRequest, encodeEmbedding } from "../openai/embeddings.ts";
import { fold } from "../openai/reply.ts";
import type { AcceptedInput } from "../play.ts";
import { randomAlphanumeric, randomHex } from "../random.ts";
import type { Choice, Script } from "../script.ts";

export interface ReplyHead {
  readonly id: string;
  readonly created: number;
  /** As it was asked for: Mistral names no snapshot. */
  readonly model: string;
  readonly callId: (call: number) => string;
}

export interface Usage {
  readonly prompt_tokens: number;
  readonly total_tokens: number;
  readonly completion_tokens: number;
  readonly prompt_tokens_details: { readonly cached_tokens: number };
  readonly service_tier: "standard";
}

/** Seconds since the epoch of a seed's first reply; each request comes a second later. */
const FIRST_CREATED = 1_750_000_000;

export function replyHead({ random, ordinal }: Arrival, model: string): ReplyHead {
  const callIds: string[] = [];
  return {
    id: randomHex(random, 32),
    created: FIRST_CREATED + ordinal,
    model,
    callId: (call) => {
      while (callIds.length <= call) callIds.push(randomAlphanumeric(random, 9));
      return callIds[call] ?? "";
    },
  };
}

/** Thoughts are part of `completion_tokens` and not counted apart: mistral/chat-thinking. */
export function encodeUsage(script: Script, input: AcceptedInput): Usage {
  return {
    prompt_tokens: input.inputTokens,
    total_tokens: input.inputTokens + script.outputTokens,
    completion_tokens: script.outputTokens,
    prompt_tokens_details: { cached_tokens: input.cachedInputTokens },
    service_tier: "standard",
  };
}

/** `usage` undefined leaves it out. */
export function encodeReply(head: ReplyHead, script: Script, usage: Usage | undefined): object {
  return {
    id: head.id,
    created: head.created,
    model: head.model,
    ...(usage === undefined ? {} : { usage }),
    object: "chat.completion",
    choices: script.choices.map((choice, index) => encodeChoice(choice, index, head)),
  };
}

export function finishReason({ finish }: Choice): "stop" | "length" | "tool_calls" {
  return finish === "calls" ? "tool_calls" : finish;
}

/** One word for each token. */
export function thoughts(tokens: number): string[] {
  return Array.from({ length: tokens }, (_, at) => `${at === 0 ? "" : " "}${WORDS[at % WORDS.length]}`);
}

const WORDS = ["First", "I", "look", "at", "what", "is", "asked,", "and", "then", "I", "answer."];

export function toolCalls(choice: Choice, head: ReplyHead): ToolCall$Outbound[] {
  return fold(choice, head).calls.flatMap((call, index) =>
    call.type === "function" ? [{ ...call, index }] : [],
  );
}

export function encodeEmbeddings(
  { random }: Arrival,
  request: EmbeddingRequest,
  texts: readonly string[],
  usage: boolean,
): object {
  const figures = {
    prompt_audio_seconds: null,
    prompt_tokens: request.inputTokens,
    total_tokens: request.inputTokens,
    completion_tokens: 0,
    request_count: null,
    prompt_token_details: null,
  };
  const { data, model }: { data: object[]; model: string } = JSON.parse(
    encodeEmbedding(request, texts, false),
  );
  return {
    id: randomHex(random, 32),
    object: "list",
    data,
    model,
    ...(usage ? { usage: figures } : {}),
  };
}

function encodeChoice(choice: Choice, index: number, head: ReplyHead): object {
  const calls = toolCalls(choice, head);
  const { content } = fold(choice, head);
  const chunks: ContentChunk$Outbound[] = [
    {
      type: "thinking",
      thinking: [{ type: "text", text: thoughts(choice.reasoningTokens).join("") }],
      closed: true,
    },
    ...(content === "" ? [] : [{ type: "text" as const, text: content }]),
  ];
  const message = {
    role: "assistant",
    tool_calls: calls.length > 0 ? calls : null,
    content: choice.reasoningTokens > 0 ? chunks : content,
  };
  return { index, finish_reason: finishReason(choice), message };
}
