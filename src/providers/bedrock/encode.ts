/** A canonical request as the body of Converse, or of InvokeModel for models that only go on with a text. */
import type { ConverseRequest } from "@aws-sdk/client-bedrock-runtime";
import type { ChatRequest } from "../../../gen/ts/llmgateway/v1/chat_pb.ts";
import { invalidRequest, type Violation } from "../../core/failure.ts";
import { encodeChat as encodeMessages } from "../claude/encode.ts";
import { BEDROCK, CLAUDE } from "../claude/traits.ts";
import type { WireBody, Wish } from "../dialect.ts";
import { refuseTaken } from "../extra_body.ts";
import { isObject } from "../malformed.ts";
import { encodeCompletion, vendorFormat } from "./invoke.ts";
import { encodeConversation } from "./messages.ts";
import { type ModelName, modelName } from "./model.ts";
import {
  type Additional,
  encodeInference,
  encodeThinking,
  encodeTopK,
  refuseUnknown,
  serviceTierOf,
} from "./parameters.ts";
import { encodeOutputFormat, encodeToolConfig } from "./tools.ts";
import { TIER_HEADER } from "./usage.ts";

type Field = keyof ConverseRequest;

/** They decide what is called and what it may cost, so that no caller may set them by hand. */
const RESERVED: readonly string[] = ["modelId", "messages", "system", "inferenceConfig", "serviceTier"];

/** The same, by the names that models know in `additionalModelRequestFields`. */
const RESERVED_ADDITIONAL: readonly string[] = [
  "max_tokens",
  "max_tokens_to_sample",
  "max_completion_tokens",
  "max_gen_len",
  "maxTokenCount",
  "textGenerationConfig",
  "inferenceConfig",
  "n",
];

/** The caller's `metadata` is for the gateway's log and stays here. */
export function encodeChat(request: ChatRequest, wish: Wish): WireBody {
  const model = modelName(wish.model);
  const format = vendorFormat(model);
  if (!format && model.vendor === "anthropic" && beyondConverse(request)) return encodeInvoke(request, wish);
  const wrong: Violation[] = [];
  const body = format
    ? encodeCompletion(format, request, wish, wrong)
    : encodeConverse(request, model, wish, wrong);
  if (wrong.length > 0) throw invalidRequest(wrong);
  const [whole, stream] = format
    ? ["invoke", "invoke-with-response-stream"]
    : ["converse", "converse-stream"];
  // An ARN has slashes, which are part of the model's name and not of the path.
  return { path: `/model/${encodeURIComponent(wish.model)}/${wish.stream ? stream : whole}`, body };
}

/** Of the tier InvokeModel is told in a header: in Claude's own format it would be Anthropic's. */
function encodeInvoke(request: ChatRequest, wish: Wish): WireBody {
  const { parameters } = request;
  const tier = parameters ? serviceTierOf(parameters) : "";
  const rest = parameters ? { ...request, parameters: { ...parameters, serviceTier: "" } } : request;
  const wire = encodeMessages(rest, wish, BEDROCK);
  return tier ? { ...wire, headers: { ...wire.headers, [TIER_HEADER]: tier } } : wire;
}

/** What Claude can be told in its own format alone: no call, one call at a time, and pieces of answers in that format. */
function beyondConverse({ toolChoice, parameters, messages }: ChatRequest): boolean {
  if (toolChoice === "none" || parameters?.parallelToolCalls === false) return true;
  return messages.some(({ parts }) =>
    parts.some(({ part }) => part.case === "providerPart" && part.value.provider === CLAUDE),
  );
}

function encodeConverse(request: ChatRequest, model: ModelName, wish: Wish, wrong: Violation[]): string {
  const { parameters, responseFormat } = request;
  const body = new Body();
  const { system, messages, callsTools } = encodeConversation(request, model, wrong);
  body.set("messages", messages);
  body.set("system", system);
  body.set("inferenceConfig", jsonOf(encodeInference(request, wish)));
  body.set("toolConfig", encodeToolConfig(request, callsTools, wrong));
  const textFormat = responseFormat ? encodeOutputFormat(responseFormat, wrong) : "";
  let effort = "";
  let additional: Additional = {};
  if (parameters) {
    refuseUnknown(parameters, wrong);
    const thinking = encodeThinking(parameters, model, wish, wrong);
    additional = { ...encodeTopK(parameters, model, wrong), ...thinking.additional };
    effort = thinking.effort && JSON.stringify(thinking.effort);
    const tier = serviceTierOf(parameters);
    if (tier) body.set("serviceTier", JSON.stringify({ type: tier }));
  }
  body.set("outputConfig", objectOf({ textFormat, effort }));
  const { additionalModelRequestFields: more, ...extra } = request.extraBody ?? {};
  body.set("additionalModelRequestFields", jsonOf(withMore(additional, more, wrong)));
  refuseTaken(extra, (field) => body.has(field) || RESERVED.includes(field), wrong);
  for (const [field, value] of Object.entries(extra)) body.setAny(field, JSON.stringify(value));
  return body.text();
}

/** What the caller sends to the model by hand, beside what the gateway sends there. */
function withMore(additional: Additional, more: unknown, wrong: Violation[]): Additional {
  if (more === undefined) return additional;
  const field = "extra_body.additionalModelRequestFields";
  if (!isObject(more)) {
    wrong.push({ field, description: "must be an object" });
    return additional;
  }
  const taken: Violation[] = [];
  refuseTaken(more, (name) => Object.hasOwn(additional, name) || RESERVED_ADDITIONAL.includes(name), taken);
  for (const violation of taken)
    wrong.push({ ...violation, field: violation.field.replace("extra_body", field) });
  return { ...additional, ...more };
}

/** The body's members as JSON texts; what is empty is left out. */
class Body {
  private readonly members = new Map<string, string>();

  set(field: Field, json: string): void {
    this.setAny(field, json);
  }

  setAny(field: string, json: string): void {
    if (json) this.members.set(field, json);
  }

  has(field: string): boolean {
    return this.members.has(field);
  }

  text(): string {
    return objectOf(Object.fromEntries(this.members));
  }
}

/** Empty for an object without a member. */
function jsonOf(object: object): string {
  const json = JSON.stringify(object);
  return json === "{}" ? "" : json;
}

function objectOf(members: Readonly<Record<string, string>>): string {
  const set = Object.entries(members).filter(([, json]) => json);
  return set.length > 0 ? `{${set.map(([name, json]) => `${JSON.stringify(name)}:${json}`).join(",")}}` : "";
}
