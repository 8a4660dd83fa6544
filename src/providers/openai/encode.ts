/** A canonical request as the body of OpenAI's `POST /chat/completions`. */
import type { ChatCompletionCreateParamsBase } from "openai/resources/chat/completions/completions";
import type { ChatRequest } from "../../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { Parameters } from "../../../gen/ts/llmgateway/v1/message_pb.ts";
import { invalidRequest, type Violation } from "../../core/failure.ts";
import type { WireBody, Wish } from "../dialect.ts";
import { refuseTaken } from "../extra_body.ts";
import { stringifyWith } from "../raw_json.ts";
import { encodeMessages } from "./messages.ts";
import { encodeResponseFormat, encodeToolChoice, encodeTools } from "./tools.ts";

/** In what OpenAI and those who speak like it differ. */
export interface OpenAiTraits {
  /** OpenAI's reasoning models refuse `max_tokens`; most others know no other. */
  readonly maxTokensField: "max_completion_tokens" | "max_tokens";
  /** Whether `stream_options.include_usage` is understood. */
  readonly streamUsage: boolean;
}

type Body = ChatCompletionCreateParamsBase;

/** They decide what is called and what it may cost, so that no caller may set them by hand. */
const RESERVED: readonly string[] = [
  "model",
  "messages",
  "stream",
  "stream_options",
  "max_tokens",
  "max_completion_tokens",
  "n",
];

/** The caller's `metadata` is for the gateway's log and stays here. */
export function encodeChat(request: ChatRequest, wish: Wish, traits: OpenAiTraits): WireBody {
  const wrong: Violation[] = [];
  const body: Body = { model: wish.model, messages: encodeMessages(request, wrong) };
  const maxTokens = wish.maxTokens ?? request.parameters?.maxTokens;
  if (maxTokens !== undefined) body[traits.maxTokensField] = maxTokens;
  if (request.parameters) encodeParameters(request.parameters, body, wrong);
  if (request.toolChoice) body.tool_choice = encodeToolChoice(request, wrong);
  if (wish.stream) {
    body.stream = true;
    if (traits.streamUsage) body.stream_options = { include_usage: true };
  }
  const texts: Record<string, string> = {};
  if (request.tools.length > 0) texts.tools = encodeTools(request.tools, wrong);
  if (request.responseFormat) texts.response_format = encodeResponseFormat(request.responseFormat, wrong);
  const extra = request.extraBody ?? {};
  const taken = (field: string) =>
    Object.hasOwn(body, field) || Object.hasOwn(texts, field) || RESERVED.includes(field);
  refuseTaken(extra, taken, wrong);
  if (wrong.length > 0) throw invalidRequest(wrong);
  return { path: "/chat/completions", body: stringifyWith({ ...body, ...extra }, texts) };
}

function encodeParameters(parameters: Parameters, body: Body, wrong: Violation[]): void {
  const { temperature, topP, stop, seed, presencePenalty, frequencyPenalty, choices } = parameters;
  if (temperature !== undefined) body.temperature = temperature;
  if (topP !== undefined) body.top_p = topP;
  if (stop.length > 0) body.stop = stop;
  if (seed !== undefined) body.seed = encodeSeed(seed, wrong);
  if (presencePenalty !== undefined) body.presence_penalty = presencePenalty;
  if (frequencyPenalty !== undefined) body.frequency_penalty = frequencyPenalty;
  if (choices !== undefined) body.n = choices;
  // Any string: models learn new ones.
  const effort = parameters.reasoningEffort as NonNullable<Body["reasoning_effort"]>;
  if (effort) body.reasoning_effort = effort;
  if (parameters.parallelToolCalls !== undefined) body.parallel_tool_calls = parameters.parallelToolCalls;
  const tier = parameters.serviceTier as NonNullable<Body["service_tier"]>;
  if (tier) body.service_tier = tier;
  if (parameters.topK !== undefined) unknown("top_k", wrong);
  if (parameters.reasoningBudgetTokens !== undefined) unknown("reasoning_budget_tokens", wrong);
}

function unknown(name: string, wrong: Violation[]): void {
  wrong.push({ field: `parameters.${name}`, description: "is not known to this provider; leave it out" });
}

function encodeSeed(seed: bigint, wrong: Violation[]): number {
  const number = Number(seed);
  if (!Number.isSafeInteger(number)) {
    wrong.push({
      field: "parameters.seed",
      description: "must lie within ±(2^53 - 1), which JSON numbers can hold",
    });
  }
  return number;
}
