/**
 * What of a request may be left out when a model or a provider cannot do it: advice on how to write. What the
 * answer is about or may cost (messages, tools, images, the number of answers, where to stop) is never in here.
 */
import type { Parameters, ResponseFormat } from "../../gen/ts/llmgateway/v1/message_pb.ts";
import type { ModelRequest, Tally } from "./call.ts";

interface Draft {
  parameters?: Parameters | undefined;
  responseFormat?: ResponseFormat | undefined;
  inputType?: string;
}

const unset = (field: keyof Parameters) => (draft: Draft) => {
  delete draft.parameters?.[field as "seed"];
};

const DROPPABLE: Readonly<Record<string, (draft: Draft) => void>> = {
  "parameters.temperature": unset("temperature"),
  "parameters.top_p": unset("topP"),
  "parameters.top_k": unset("topK"),
  "parameters.seed": unset("seed"),
  "parameters.presence_penalty": unset("presencePenalty"),
  "parameters.frequency_penalty": unset("frequencyPenalty"),
  "parameters.parallel_tool_calls": unset("parallelToolCalls"),
  "parameters.reasoning_budget_tokens": unset("reasoningBudgetTokens"),
  "parameters.reasoning_effort": ({ parameters }) => {
    if (parameters) parameters.reasoningEffort = "";
  },
  "parameters.service_tier": ({ parameters }) => {
    if (parameters) parameters.serviceTier = "";
  },
  // Refused where the model writes less in any case, so that nothing is lost.
  "parameters.max_tokens": unset("maxTokens"),
  // The caller reads in the reply that the form of the answer was left to the model.
  response_format: (draft) => {
    delete draft.responseFormat;
  },
  "response_format.type": (draft) => {
    delete draft.responseFormat;
  },
  "response_format.description": ({ responseFormat }) => {
    if (responseFormat) responseFormat.description = "";
  },
  input_type: (draft) => {
    draft.inputType = "";
  },
};

export function isDroppable(field: string): boolean {
  return Object.hasOwn(DROPPABLE, field);
}

/** A request without these fields, each of which must be droppable; the given one is left as it is. */
export function withoutFields<Request extends ModelRequest>(
  request: Request,
  fields: readonly string[],
  tally: Tally,
): Request {
  const draft: Request & Draft = { ...request };
  if (draft.parameters) draft.parameters = { ...draft.parameters };
  if (draft.responseFormat) draft.responseFormat = { ...draft.responseFormat };
  for (const field of fields) {
    DROPPABLE[field]?.(draft);
    tellDropped(field, tally);
  }
  return draft;
}

/** Says in the reply that a field was left out, once. */
export function tellDropped(field: string, { dropped }: Tally): void {
  if (!dropped.includes(field)) dropped.push(field);
}
