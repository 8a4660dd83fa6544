/** What makes two requests the same: a hash of all that an answer can hang on. It knows no answer. */
import { hash } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import type { ChatRequest } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import {
  type Media,
  type Message,
  type Parameters,
  ParametersSchema,
  type Part,
  type ResponseFormat,
  type Tool,
} from "../../gen/ts/llmgateway/v1/message_pb.ts";
import type { Call } from "../core/call.ts";
import { canonicalJson, canonicalText } from "./canonical.ts";
import { normalised } from "./normalised.ts";

/** For whom answers are the same, and of whom. */
export interface Scope {
  readonly tenant: string;
  readonly cacheScope: string;
  /** Of which model or alias it is an answer, whatever it was called by. */
  readonly family: string;
}

/** Changed with the form below, so that keys that outlive a process never mean something else. */
const FORM = 1;
const NO_PARAMETERS = create(ParametersSchema);

/**
 * All that is said lies in one JSON text in which everything has its own place, so that no two requests that differ
 * are written alike.
 *
 * @returns 43 characters that tell nothing of the request
 */
export function keyOf(request: ChatRequest, { tenant, cacheScope, family }: Scope): string {
  const { messages, parameters, tools, toolChoice, responseFormat, extraBody } = request;
  const said = [
    FORM,
    tenant,
    cacheScope,
    family,
    messages.map(ofMessage),
    ofParameters(parameters ?? NO_PARAMETERS),
    tools.map(ofTool),
    toolChoice,
    responseFormat ? ofFormat(responseFormat) : null,
    extraBody && Object.keys(extraBody).length > 0 ? canonicalJson(extraBody) : null,
  ];
  return hash("sha256", JSON.stringify(said), "base64url");
}

/** For who calls, and whom the call asks. */
export function keyFor(
  { context }: Pick<Call, "context">,
  request: ChatRequest,
  { identity }: { readonly identity: string },
): string {
  const { tenant, cacheScope } = context;
  return keyOf(request, { tenant, cacheScope, family: identity });
}

/** A text is a string here, and any other piece is an array. */
type Piece = string | readonly unknown[];

function ofMessage({ role, name, content, parts }: Message): readonly unknown[] {
  const pieces: Piece[] = content === "" ? [] : [content];
  for (const { part } of parts) pieces.push(ofPart(part));
  return [role, name, ...(isWrittenByPeople(role) ? normalised(pieces) : pieces)];
}

/** What the model said, or a tool, stays as it is: there even a space may have been meant. */
function isWrittenByPeople(role: string): boolean {
  return role === "user" || role === "system" || role === "developer";
}

function ofPart(part: Part["part"]): Piece {
  switch (part.case) {
    case "text":
      return part.value;
    case "image":
    case "file":
      return [part.case, ...ofMedia(part.value)];
    case "toolCall": {
      const { id, name, arguments: args, input, signature } = part.value;
      return [part.case, id, name, canonicalText(args), input, signature];
    }
    case "toolResult": {
      const { toolCallId, content, isError } = part.value;
      return [part.case, toolCallId, content, isError];
    }
    case "reasoning": {
      const { text, signature, redacted } = part.value;
      return [part.case, text, signature, redacted];
    }
    case "refusal":
      return [part.case, part.value];
    case "citation": {
      const { title, url, quote, startIndex, endIndex, providerJson } = part.value;
      return [part.case, title, url, quote, startIndex, endIndex, canonicalText(providerJson)];
    }
    case "providerPart": {
      const { provider, type, json } = part.value;
      return [part.case, provider, type, canonicalText(json)];
    }
    case undefined:
      return [];
  }
}

function ofMedia({ source, mediaType, name, detail }: Media): readonly unknown[] {
  const where = source.case === "data" ? hash("sha256", source.value, "base64url") : source.value;
  return [source.case, where, mediaType, name, detail];
}

function ofParameters(given: Parameters): readonly unknown[] {
  return [
    given.temperature,
    given.topP,
    given.maxTokens,
    given.stop,
    given.seed?.toString(),
    given.presencePenalty,
    given.frequencyPenalty,
    given.choices,
    given.reasoningEffort,
    given.parallelToolCalls,
    given.reasoningBudgetTokens,
    given.topK,
    given.serviceTier,
  ];
}

function ofTool({
  name,
  description,
  parameters,
  parametersJson,
  strict,
  freeText,
}: Tool): readonly unknown[] {
  const schema = parameters ? canonicalJson(parameters) : canonicalText(parametersJson);
  return [name, description, schema, strict, freeText ? [freeText.syntax, freeText.definition] : null];
}

function ofFormat({
  type,
  name,
  description,
  schema,
  schemaJson,
  strict,
}: ResponseFormat): readonly unknown[] {
  return [type, name, description, schema ? canonicalJson(schema) : canonicalText(schemaJson), strict];
}
