/** Which requests the cache has nothing to do with, and why. It knows what is asked, and no answer. */
import type { ChatRequest } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { Message, ResponseFormat, Tool } from "../../gen/ts/llmgateway/v1/message_pb.ts";
import { type Call, isBatch } from "../core/call.ts";
import { matcherOf } from "./patterns.ts";
import { hasSecret } from "./secrets.ts";

export interface StorableRules {
  readonly maxTemperature: number;
  /** Regular expressions of what is never kept, without fault. */
  readonly sensitivePatterns: readonly string[];
}

/** As many as are searched within some dozen milliseconds. */
const MAX_CHARS = 2_000_000;

/** @returns why a request is neither answered from the cache nor kept; empty when it may be. Reads its texts once. */
export function createStorable(rules: StorableRules): (call: Call, request: ChatRequest) => string {
  const { maxTemperature } = rules;
  const isSensitive = matcherOf(rules.sensitivePatterns);
  return (call, request) => {
    if (request.cache === "bypass") return "the request wants none";
    if (request.sensitive) return "the request is sensitive";
    if (call.parking || isBatch(call)) return "a batch is answered once";
    const { temperature } = request.parameters ?? {};
    if ((temperature ?? 1) > maxTemperature)
      return `its temperature${temperature === undefined ? ", which is 1 where it is absent," : ""} is above ${maxTemperature}`;
    if (request.tools.some(({ hasEffects }) => hasEffects)) return "it has a tool with effects";
    let left = MAX_CHARS;
    for (const text of textsOf(request)) {
      left -= text.length;
      if (left < 0) return "it is too long to be searched for secrets";
      if (hasSecret(text)) return "it holds what looks like a secret";
      if (isSensitive(text)) return "it matches one of sensitive_patterns";
    }
    return "";
  };
}

function* textsOf({
  messages,
  parameters,
  tools,
  responseFormat,
  extraBody,
}: ChatRequest): Generator<string> {
  for (const message of messages) {
    if (message.name !== "") yield message.name;
    if (message.content !== "") yield message.content;
    if (message.parts.length > 0) yield* ofParts(message);
  }
  if (parameters) yield* parameters.stop;
  for (const tool of tools) yield* ofTool(tool);
  if (responseFormat) yield* ofFormat(responseFormat);
  if (extraBody) yield JSON.stringify(extraBody);
}

function* ofTool({ description, parameters, parametersJson, freeText }: Tool): Generator<string> {
  yield description;
  yield parameters ? JSON.stringify(parameters) : parametersJson;
  if (freeText) yield freeText.definition;
}

function* ofFormat({ description, schema, schemaJson }: ResponseFormat): Generator<string> {
  yield description;
  yield schema ? JSON.stringify(schema) : schemaJson;
}

function* ofParts({ parts }: Message): Generator<string> {
  for (const { part } of parts) {
    switch (part.case) {
      case "text":
      case "refusal":
        yield part.value;
        break;
      case "image":
      case "file":
        yield part.value.name;
        if (part.value.source.case === "url") yield part.value.source.value;
        break;
      case "toolCall":
        yield part.value.arguments;
        yield part.value.input;
        break;
      case "toolResult":
        yield part.value.content;
        break;
      case "reasoning":
        yield part.value.text;
        break;
      case "citation":
        yield `${part.value.title} ${part.value.url} ${part.value.quote}`;
        break;
      case "providerPart":
        yield part.value.json;
        break;
    }
  }
}
