/** A canonical request as the body of OpenAI's `POST /chat/completions`. */
import type { ChatCompletionCreateParamsBase } from "openai/resources/chat/completions/completions";
import type { ChatRequest } from "../../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { Parameters } from "../../../gen/ts/llmgateway/v1/message_pb.ts";
import type { Violation } from "../../core/failure.ts";
import type { WireBody, Wish } from "../dialect.ts";
import { wireBody } from "./body.ts";
import { encodeMessages } from "./messages.ts";
import { encodeSampling, encodeSeed } from "./sampling.ts";
import { encodeResponseFormat, encodeToolChoice, encodeTools } from "./tools.ts";
import type { OpenAiTraits } from "./traits.ts";

type Body = ChatCompletionCreateParamsBase;

/** The caller's `metadata` is for the gateway's log and stays here. */
export function encodeChat(request: ChatRequest, wish: Wish, traits: OpenAiTraits): WireBody {
  const wrong: Violation[] = [];
  const body: Body = { model: wish.model, messages: encodeMessages(request, traits, wrong) };
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
  return wireBody(body, texts, request, wrong);
}

function encodeParameters(parameters: Parameters, body: Body, wrong: Violation[]): void {
  encodeSampling(parameters, body, wrong);
  if (parameters.seed !== undefined) body.seed = encodeSeed(parameters.seed, wrong);
  const tier = parameters.serviceTier as NonNullable<Body["service_tier"]>;
  if (tier) body.service_tier = tier;
}
