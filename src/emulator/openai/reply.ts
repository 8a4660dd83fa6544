/** Encodes a script as OpenAI's unary chat completion, and the parts that it shares with the stream: head and usage. */
import type { ChatCompletion, ChatCompletionMessageToolCall } from "openai/resources/chat/completions";
import type { CompletionUsage } from "openai/resources/completions";
import type { Arrival } from "../exchange.ts";
import type { AcceptedInput } from "../play.ts";
import { hashText, mulberry32, randomAlphanumeric, randomHex } from "../random.ts";
import type { Choice, Script } from "../script.ts";
import { CONTENT_FILTER_RESULTS, PROMPT_FILTER_RESULTS } from "./azure.ts";
import { isReasoning, reportsCacheWrites, servedName } from "./models.ts";
import type { ChatRequest } from "./request.ts";

/** What a reply repeats in every chunk, and the ids of its tool calls. */
export interface ReplyHead {
  readonly id: string;
  readonly created: number;
  readonly model: string;
  /** Null for models that think and on Azure, though the SDK's types say it is absent then. */
  readonly fingerprint: string | null;
  readonly callId: (call: number) => string;
}

/** Seconds since the epoch of a seed's first reply; each request comes a second later. */
const FIRST_CREATED = 1_750_000_000;

export function replyHead(seed: number, arrival: Arrival, model: string, azure: boolean): ReplyHead {
  const { random, ordinal } = arrival;
  const id = `chatcmpl-${randomAlphanumeric(random, 29)}`;
  const callIds: string[] = [];
  return {
    id,
    created: FIRST_CREATED + ordinal,
    model: servedName(model),
    fingerprint:
      azure || isReasoning(model) ? null : `fp_${randomHex(mulberry32(hashText(model, seed)), 10)}`,
    // One id for a call in all choices: so it was recorded with n=2.
    callId: (call) => {
      while (callIds.length <= call) callIds.push(`call_${randomAlphanumeric(random, 24)}`);
      return callIds[call] ?? "";
    },
  };
}

export function finishReason(choice: Choice, request: ChatRequest): "stop" | "length" | "tool_calls" {
  if (choice.finish !== "calls") return choice.finish;
  return request.forced ? "stop" : "tool_calls";
}

export function encodeUsage(model: string, script: Script, input: AcceptedInput): CompletionUsage {
  const written = reportsCacheWrites(model) ? { cache_write_tokens: input.cacheWriteTokens } : {};
  return {
    prompt_tokens: input.inputTokens,
    completion_tokens: script.outputTokens,
    total_tokens: input.inputTokens + script.outputTokens,
    prompt_tokens_details: { cached_tokens: input.cachedInputTokens, ...written, audio_tokens: 0 },
    completion_tokens_details: {
      reasoning_tokens: script.reasoningTokens,
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
  };
}

/** `usage` undefined leaves it out. */
export function encodeReply(
  head: ReplyHead,
  request: ChatRequest,
  script: Script,
  usage: CompletionUsage | undefined,
  azure: boolean,
): string {
  const reply: WireReply = {
    id: head.id,
    object: "chat.completion",
    created: head.created,
    model: head.model,
    choices: script.choices.map((choice, index) => encodeChoice(choice, index, head, request, azure)),
    ...(usage === undefined ? {} : { usage }),
    ...(azure ? {} : { service_tier: "default" }),
    system_fingerprint: head.fingerprint,
  };
  return JSON.stringify(azure ? { ...reply, prompt_filter_results: PROMPT_FILTER_RESULTS } : reply);
}

/** The SDK's types leave out that the fingerprint may be null and a thinking model's logprobs absent. */
type WireReply = Omit<ChatCompletion, "choices" | "system_fingerprint"> & {
  readonly choices: readonly WireChoice[];
  readonly system_fingerprint: string | null;
};

type WireChoice = Omit<ChatCompletion.Choice, "logprobs"> & {
  readonly logprobs?: null;
  readonly content_filter_results?: object;
};

function encodeChoice(
  choice: Choice,
  index: number,
  head: ReplyHead,
  request: ChatRequest,
  azure: boolean,
): WireChoice {
  const { content, calls } = fold(choice, head);
  return {
    index,
    message: {
      role: "assistant",
      content: calls.length > 0 ? null : content,
      ...(calls.length > 0 ? { tool_calls: calls } : {}),
      refusal: null,
      annotations: [],
    },
    ...(isReasoning(request.model) ? {} : { logprobs: null }),
    finish_reason: finishReason(choice, request),
    ...(azure ? { content_filter_results: CONTENT_FILTER_RESULTS } : {}),
  };
}

/** All pieces of a choice joined. */
export function fold(
  choice: Choice,
  head: Pick<ReplyHead, "callId">,
): {
  content: string;
  calls: ChatCompletionMessageToolCall[];
} {
  let content = "";
  const calls: { name: string; custom: boolean; text: string }[] = [];
  for (const piece of choice.pieces) {
    if (piece.kind === "text") content += piece.text;
    else if (piece.kind === "call") calls[piece.call] = { name: piece.name, custom: piece.custom, text: "" };
    else {
      const call = calls[piece.call];
      if (call !== undefined) call.text += piece.text;
    }
  }
  return {
    content,
    calls: calls.map(({ name, custom, text }, index) =>
      custom
        ? { id: head.callId(index), type: "custom", custom: { name, input: text } }
        : { id: head.callId(index), type: "function", function: { name, arguments: text } },
    ),
  };
}
