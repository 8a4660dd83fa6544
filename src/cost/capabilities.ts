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
  const unmet: Unmet[] = [];
  if (request.$typeName === "llmgateway.v1.ChatRequest") {
    addAbilities(unmet, request, streaming, model, NEEDS);
    addSizes(unmet, request, model);
  } else addAbilities(unmet, request, streaming, model, EMBEDDING_NEEDS);
  return unmet;
}

function addAbilities<Request>(
  unmet: Unmet[],
  request: Request,
  streaming: boolean,
  { capabilities }: Known,
  needs: readonly Need<Request>[],
): void {
  if (!capabilities) return;
  for (const { can, lack, wanted, instead = "", fields } of needs) {
    if (can(capabilities) !== false) continue;
    const met = ({ capabilities }: Known) => capabilities !== undefined && can(capabilities) === true;
    for (const field of fields(request, streaming)) unmet.push({ field, lack, wanted, instead, met });
  }
}

function addSizes(
  unmet: Unmet[],
  request: ChatRequest,
  { maxOutputTokens, contextWindowTokens }: Known,
): void {
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
}

/** Where a conversation that is too long for the model is told. */
export const CONTEXT_FIELD = "messages";

interface Need<Request> {
  /** Undefined where it is not known of the model. */
  readonly can: (capabilities: Capabilities) => boolean | undefined;
  readonly lack: string;
  readonly wanted: string;
  readonly instead?: string;
  /** The fields that ask for it; none when the request does not. */
  fields(request: Request, streaming: boolean): string[];
}

const EMBEDDING_NEEDS: readonly Need<EmbedRequest>[] = [
  {
    can: ({ embeddings }) => embeddings,
    lack: "makes no embeddings",
    wanted: "that does",
    fields: () => ["model"],
  },
];

const NEEDS: readonly Need<ChatRequest>[] = [
  {
    can: ({ chat }) => chat,
    lack: "answers no chat",
    wanted: "that chats",
    fields: () => ["model"],
  },
  {
    can: ({ streaming }) => streaming,
    lack: "does not stream",
    wanted: "that streams",
    instead: "call Chat",
    fields: (_, streaming) => (streaming ? ["stream"] : []),
  },
  {
    can: ({ tools }) => tools,
    lack: "does not call tools",
    wanted: "that calls tools",
    instead: "leave them out",
    fields: ({ tools }) => (tools.length > 0 ? ["tools"] : []),
  },
  {
    can: ({ parallelToolCalls }) => parallelToolCalls,
    lack: "calls one tool at a time",
    wanted: "that calls several",
    instead: "leave it out",
    fields: ({ parameters }) =>
      parameters?.parallelToolCalls === true ? ["parameters.parallel_tool_calls"] : [],
  },
  {
    can: ({ jsonSchema }) => jsonSchema,
    lack: "keeps to no JSON schema",
    wanted: "with JSON schemas",
    instead: "leave it out",
    fields: ({ responseFormat }) => (responseFormat?.type === "json_schema" ? ["response_format"] : []),
  },
  {
    can: ({ vision }) => vision,
    lack: "does not look at images",
    wanted: "with vision",
    fields: ({ messages }) => partsOf(messages, "image"),
  },
  {
    can: ({ files }) => files,
    lack: "reads no files",
    wanted: "that reads files",
    fields: ({ messages }) => partsOf(messages, "file"),
  },
  {
    can: ({ systemMessages }) => systemMessages,
    lack: "takes no instructions apart from the conversation",
    wanted: "with system messages",
    instead: "say it as the user",
    fields: ({ messages }) =>
      messages.flatMap(({ role }, index) => (isInstruction(role) ? [`messages[${index}].role`] : [])),
  },
  {
    can: ({ reasoning }) => reasoning,
    lack: "does not think before it answers",
    wanted: "that does",
    instead: "leave it out",
    fields: ({ parameters }) => [
      ...(["", "none"].includes(parameters?.reasoningEffort ?? "") ? [] : ["parameters.reasoning_effort"]),
      ...(parameters?.reasoningBudgetTokens ? ["parameters.reasoning_budget_tokens"] : []),
    ],
  },
  {
    can: ({ sampling }) => sampling,
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
