/**
 * What a request needs that a model is known not to do. What is not known of a model is never held against a
 * request, and no request is sent anywhere from here.
 */
import type { ChatRequest } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { EmbedRequest } from "../../gen/ts/llmgateway/v1/embed_pb.ts";
import type { Capabilities } from "../../gen/ts/llmgateway/v1/gateway_pb.ts";
import type { Message } from "../../gen/ts/llmgateway/v1/message_pb.ts";
import type { ModelRequest } from "../core/call.ts";
import type { ModelPrice } from "./catalog.ts";
import { hasMoreWords } from "./words.ts";

type Ability = Exclude<keyof Capabilities, "$typeName" | "$unknown" | "regions">;

export interface Unmet {
  /** Path of the field in proto names. */
  readonly field: string;
  /** After the model's name, such as `does not call tools`. */
  readonly lack: string;
  /** What another model must have, for people; and what the caller can do with this one. */
  readonly wanted: string;
  readonly instead: string;
  /** Whether a model is known to do it. */
  readonly met: (model: Known) => boolean;
}

/** What the catalog says of a model beside its price. */
type Known = Pick<ModelPrice, "capabilities" | "contextWindowTokens" | "maxOutputTokens">;

export function unmetNeeds(request: ModelRequest, streaming: boolean, model: Known): Unmet[] {
  return request.$typeName === "llmgateway.v1.ChatRequest"
    ? [...unmetAbilities(request, streaming, model, NEEDS), ...unmetSizes(request, model)]
    : unmetAbilities(request, streaming, model, EMBEDDING_NEEDS);
}

function unmetAbilities<Request>(
  request: Request,
  streaming: boolean,
  { capabilities }: Known,
  needs: readonly Need<Request>[],
): Unmet[] {
  return needs.flatMap(({ ability, lack, wanted, instead = "", fields }) => {
    if (capabilities?.[ability] !== false) return [];
    const met = ({ capabilities }: Known) => capabilities?.[ability] === true;
    return fields(request, streaming).map((field) => ({ field, lack, wanted, instead, met }));
  });
}

function unmetSizes(request: ChatRequest, { maxOutputTokens, contextWindowTokens }: Known): Unmet[] {
  const unmet: Unmet[] = [];
  const wish = request.parameters?.maxTokens ?? 0;
  if (maxOutputTokens !== undefined && wish > maxOutputTokens) {
    unmet.push({
      field: "parameters.max_tokens",
      lack: `writes ${maxOutputTokens} tokens at most`,
      wanted: "that writes more",
      instead: "ask for no more",
      met: ({ maxOutputTokens = 0 }) => wish <= maxOutputTokens,
    });
  }
  // An estimate by length may be far above the truth.
  if (contextWindowTokens !== undefined && hasMoreWords(request.messages, contextWindowTokens)) {
    unmet.push({
      field: CONTEXT_FIELD,
      lack: `reads ${contextWindowTokens} tokens at most, and these have more words than that`,
      wanted: "that reads more",
      instead: "shorten them",
      met: ({ contextWindowTokens = 0 }) => !hasMoreWords(request.messages, contextWindowTokens),
    });
  }
  return unmet;
}

/** Where a conversation that is too long for the model is told. */
export const CONTEXT_FIELD = "messages";

interface Need<Request> {
  readonly ability: Ability;
  readonly lack: string;
  readonly wanted: string;
  readonly instead?: string;
  /** The fields that ask for it; none when the request does not. */
  fields(request: Request, streaming: boolean): string[];
}

const EMBEDDING_NEEDS: readonly Need<EmbedRequest>[] = [
  {
    ability: "embeddings",
    lack: "makes no embeddings",
    wanted: "that does",
    fields: () => ["model"],
  },
];

const NEEDS: readonly Need<ChatRequest>[] = [
  {
    ability: "chat",
    lack: "answers no chat",
    wanted: "that chats",
    fields: () => ["model"],
  },
  {
    ability: "streaming",
    lack: "does not stream",
    wanted: "that streams",
    instead: "call Chat",
    fields: (_, streaming) => (streaming ? ["stream"] : []),
  },
  {
    ability: "tools",
    lack: "does not call tools",
    wanted: "that calls tools",
    instead: "leave them out",
    fields: ({ tools }) => (tools.length > 0 ? ["tools"] : []),
  },
  {
    ability: "parallelToolCalls",
    lack: "calls one tool at a time",
    wanted: "that calls several",
    instead: "leave it out",
    fields: ({ parameters }) =>
      parameters?.parallelToolCalls === true ? ["parameters.parallel_tool_calls"] : [],
  },
  {
    ability: "jsonSchema",
    lack: "keeps to no JSON schema",
    wanted: "with JSON schemas",
    instead: "leave it out",
    fields: ({ responseFormat }) => (responseFormat?.type === "json_schema" ? ["response_format"] : []),
  },
  {
    ability: "vision",
    lack: "does not look at images",
    wanted: "with vision",
    fields: ({ messages }) => partsOf(messages, "image"),
  },
  {
    ability: "files",
    lack: "reads no files",
    wanted: "that reads files",
    fields: ({ messages }) => partsOf(messages, "file"),
  },
  {
    ability: "systemMessages",
    lack: "takes no instructions apart from the conversation",
    wanted: "with system messages",
    instead: "say it as the user",
    fields: ({ messages }) =>
      messages.flatMap(({ role }, index) => (isInstruction(role) ? [`messages[${index}].role`] : [])),
  },
  {
    ability: "reasoning",
    lack: "does not think before it answers",
    wanted: "that does",
    instead: "leave it out",
    fields: ({ parameters }) => [
      ...(["", "none"].includes(parameters?.reasoningEffort ?? "") ? [] : ["parameters.reasoning_effort"]),
      ...(parameters?.reasoningBudgetTokens ? ["parameters.reasoning_budget_tokens"] : []),
    ],
  },
  {
    ability: "sampling",
    lack: "takes no sampling parameters",
    wanted: "that does",
    instead: "leave it out",
    // 1 is what holds without it.
    fields: ({ parameters: { temperature = 1, topP = 1, topK } = {} as Partial<SamplingParameters> }) => [
      ...(temperature === 1 ? [] : ["parameters.temperature"]),
      ...(topP === 1 ? [] : ["parameters.top_p"]),
      ...(topK === undefined ? [] : ["parameters.top_k"]),
    ],
  },
];

type SamplingParameters = NonNullable<ChatRequest["parameters"]>;

function isInstruction(role: string): boolean {
  return role === "system" || role === "developer";
}

function partsOf(messages: readonly Message[], kind: "image" | "file"): string[] {
  return messages.flatMap(({ parts }, message) =>
    parts.flatMap(({ part }, index) =>
      part.case === kind ? [`messages[${message}].parts[${index}].${kind}`] : [],
    ),
  );
}
