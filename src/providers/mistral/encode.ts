/** A canonical request as the body of Mistral's `POST /chat/completions`. */
import type {
  ChatCompletionRequest$Outbound,
  ChatCompletionRequestToolChoice$Outbound,
} from "@mistralai/mistralai/models/components";
import type { ChatRequest } from "../../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { Parameters, Tool } from "../../../gen/ts/llmgateway/v1/message_pb.ts";
import type { Violation } from "../../core/failure.ts";
import type { WireBody, Wish } from "../dialect.ts";
import { wireBody } from "../openai/body.ts";
import { encodeSampling, encodeSeed, refuseUnknown } from "../openai/sampling.ts";
import { encodeResponseFormat, encodeToolChoice, encodeTools } from "../openai/tools.ts";
import { encodeMessages } from "./messages.ts";

type Body = ChatCompletionRequest$Outbound;

/** What a tool without arguments takes: Mistral wants a schema of every one. */
const NO_ARGUMENTS = { type: "object", properties: {} };

/** `safe_prompt`, `prompt_mode`, `prediction` and the like go in `extra_body`. Usage comes without being asked for. */
export function encodeChat(request: ChatRequest, wish: Wish): WireBody {
  const wrong: Violation[] = [];
  const body: Body = {
    model: wish.model,
    messages: encodeMessages(request, wrong),
    stream: wish.stream,
  };
  const maxTokens = wish.maxTokens ?? request.parameters?.maxTokens;
  if (maxTokens !== undefined) body.max_tokens = maxTokens;
  if (request.parameters) encodeParameters(request.parameters, body, wrong);
  const tools = request.tools.map((tool, i) => toolOf(tool, `tools[${i}]`, wrong));
  if (request.toolChoice) body.tool_choice = choiceOf({ ...request, tools }, wrong);
  const texts: Record<string, string> = {};
  if (tools.length > 0) texts.tools = encodeTools(tools, wrong);
  if (request.responseFormat) texts.response_format = encodeResponseFormat(request.responseFormat, wrong);
  return wireBody(body, texts, request, wrong);
}

function encodeParameters(parameters: Parameters, body: Body, wrong: Violation[]): void {
  encodeSampling(parameters, body, wrong);
  if (parameters.seed !== undefined) body.random_seed = encodeSeed(parameters.seed, wrong);
  if (parameters.serviceTier) refuseUnknown("service_tier", wrong);
}

function toolOf(tool: Tool, path: string, wrong: Violation[]): Tool {
  const { freeText, ...rest } = tool;
  if (freeText) {
    wrong.push({
      field: `${path}.free_text`,
      description: "the provider's tools take JSON: give a schema in its place",
    });
  }
  return tool.parameters || tool.parametersJson ? rest : { ...rest, parameters: NO_ARGUMENTS };
}

/** `any` has always been Mistral's word for it; `required` came later. */
function choiceOf(request: ChatRequest, wrong: Violation[]): ChatCompletionRequestToolChoice$Outbound {
  const choice = encodeToolChoice(request, wrong);
  return choice === "required" ? "any" : (choice as ChatCompletionRequestToolChoice$Outbound);
}
