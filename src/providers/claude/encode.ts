/** A canonical request as the body of Anthropic's `POST /v1/messages`, and of its kin on other platforms. */
import type { MessageCreateParams, OutputConfig } from "@anthropic-ai/sdk/resources/messages";
import type { ChatRequest } from "../../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { Parameters } from "../../../gen/ts/llmgateway/v1/message_pb.ts";
import { invalidRequest, type Violation } from "../../core/failure.ts";
import type { WireBody, Wish } from "../dialect.ts";
import { refuseTaken } from "../extra_body.ts";
import { stringifyWith } from "../raw_json.ts";
import { encodeMessages } from "./messages.ts";
import { type ModelTraits, traitsOf } from "./model.ts";
import { encodeThinking, type Thinking } from "./thinking.ts";
import { encodeResponseFormat, encodeToolChoice, encodeTools } from "./tools.ts";
import type { ClaudeTraits } from "./traits.ts";

/** The SDK's types have lost the sampling parameters, which older models still take. */
type Body = Omit<MessageCreateParams, "model" | "messages" | "system" | "tools" | "output_config"> & {
  model?: string;
  anthropic_version?: string;
  temperature?: number;
  top_p?: number;
  top_k?: number;
};

/** They decide what is called and what it may cost, so that no caller may set them by hand. */
const RESERVED: readonly string[] = [
  "model",
  "anthropic_version",
  "messages",
  "system",
  "stream",
  "max_tokens",
];

/** For a model whose limit nobody knows: every Claude since the third can write as much. */
export const FALLBACK_MAX_TOKENS = 4096;

/** The caller's `metadata` is for the gateway's log and stays here. */
export function encodeChat(request: ChatRequest, wish: Wish, traits: ClaudeTraits): WireBody {
  const wrong: Violation[] = [];
  const asked = request.parameters?.maxTokens;
  const maxTokens = wish.maxTokens ?? asked ?? wish.modelMaxTokens ?? FALLBACK_MAX_TOKENS;
  const body: Body = { max_tokens: maxTokens };
  if (traits.version === undefined) body.model = wish.model;
  else body.anthropic_version = traits.version;
  if (wish.stream && traits.streamField) body.stream = true;
  const choice = encodeToolChoice(request, wrong);
  if (choice) body.tool_choice = choice;
  const texts: Record<string, string> = {};
  const { system, messages } = encodeMessages(request.messages, wrong);
  if (system) texts.system = system;
  texts.messages = messages;
  if (request.tools.length > 0) texts.tools = encodeTools(request.tools, wrong);
  const thinking = request.parameters ? encodeParameters(request.parameters, wish.model, body, wrong) : {};
  const config = encodeOutput(request, thinking, wrong);
  if (config) texts.output_config = config;
  if (thinking.thinking?.type === "enabled") refuseForcedCall(choice, wrong);
  const extra = request.extraBody ?? {};
  const taken = (field: string) =>
    Object.hasOwn(body, field) || Object.hasOwn(texts, field) || RESERVED.includes(field);
  refuseTaken(extra, taken, wrong);
  if (wrong.length > 0) throw invalidRequest(wrong);
  return {
    path: traits.path(wish),
    body: stringifyWith({ ...body, ...extra }, texts),
    headers: traits.headers,
  };
}

function encodeParameters(parameters: Parameters, name: string, body: Body, wrong: Violation[]): Thinking {
  const { stop, serviceTier } = parameters;
  const model = traitsOf(name);
  const thinking = encodeThinking(parameters, body.max_tokens, model, wrong);
  if (thinking.thinking) body.thinking = thinking.thinking;
  const { type = "disabled" } = thinking.thinking ?? {};
  encodeSampling(parameters, model, type !== "disabled", body, wrong);
  if (stop.length > 0) body.stop_sequences = stop;
  if (serviceTier === "auto" || serviceTier === "standard_only") body.service_tier = serviceTier;
  else if (serviceTier)
    wrong.push({ field: "parameters.service_tier", description: "must be auto or standard_only" });
  for (const [field, given] of [
    ["seed", parameters.seed],
    ["presence_penalty", parameters.presencePenalty],
    ["frequency_penalty", parameters.frequencyPenalty],
  ] as const) {
    if (given !== undefined)
      wrong.push({
        field: `parameters.${field}`,
        description: "is not known to this provider; leave it out",
      });
  }
  if ((parameters.choices ?? 1) > 1) {
    wrong.push({
      field: "parameters.choices",
      description: "the provider gives one answer: ask several times",
    });
  }
  return thinking;
}

/** https://platform.claude.com/docs/en/build-with-claude/extended-thinking tells what thinking goes with. */
function encodeSampling(
  { temperature, topP, topK }: Parameters,
  model: ModelTraits,
  thinks: boolean,
  body: Body,
  wrong: Violation[],
): void {
  const refuse = (name: string, description: string) =>
    wrong.push({ field: `parameters.${name}`, description });
  // 1 is what holds without it, for the models that take none too.
  const cooled = temperature !== undefined && temperature !== 1;
  if (!model.sampling) {
    const none = "this model takes no sampling parameters; leave it out";
    if (cooled) refuse("temperature", none);
    if (topP !== undefined) refuse("top_p", none);
    if (topK !== undefined) refuse("top_k", none);
    return;
  }
  if (temperature !== undefined && temperature > 1)
    refuse("temperature", "must be at most 1 for this provider");
  else if (cooled && thinks) refuse("temperature", "must be 1, or absent, when the model thinks");
  if (topP !== undefined && topP < 0.95 && thinks)
    refuse("top_p", "must be at least 0.95 when the model thinks");
  if (topK !== undefined && thinks) refuse("top_k", "must be absent when the model thinks");
  if (temperature !== undefined && topP !== undefined && !model.bothSamplers) {
    refuse("top_p", "this model takes it not beside temperature; leave one of them out");
  }
  if (temperature !== undefined) body.temperature = temperature;
  if (topP !== undefined) body.top_p = topP;
  if (topK !== undefined) body.top_k = topK;
}

/** JSON text, since a schema that came as text stays as it is; undefined when nothing is asked. */
function encodeOutput(request: ChatRequest, { effort }: Thinking, wrong: Violation[]): string | undefined {
  const { responseFormat } = request;
  const format = responseFormat ? encodeResponseFormat(responseFormat, wrong) : "";
  const effortText = effort ? JSON.stringify({ effort } satisfies OutputConfig).slice(1, -1) : "";
  const members = [effortText, format ? `"format":${format}` : ""].filter(Boolean);
  return members.length > 0 ? `{${members.join(",")}}` : undefined;
}

function refuseForcedCall(choice: MessageCreateParams["tool_choice"], wrong: Violation[]): void {
  if (choice?.type !== "any" && choice?.type !== "tool") return;
  wrong.push({ field: "tool_choice", description: "must be auto or none when the model thinks by a budget" });
}
