/** The models that the emulator lists under Mistral's names, and what it answers for others. */
import { decodeSegment } from "../openai/azure.ts";
import { unknownModel } from "../openai/errors.ts";

const MODELS = [
  "codestral-latest",
  "magistral-medium-latest",
  "ministral-8b-latest",
  "mistral-embed",
  "mistral-large-latest",
  "mistral-medium-latest",
  "mistral-small-latest",
];

interface Model {
  readonly id: string;
  readonly object: "model";
  readonly created: number;
  readonly owned_by: "mistralai";
  readonly type: "base";
  readonly capabilities: { readonly completion_chat: boolean; readonly function_calling: boolean };
}

export function listModels(): { object: "list"; data: Model[] } {
  return { object: "list", data: MODELS.map(describeModel) };
}

/** Throws Refusal for a name that says that it is none. */
export function describeModel(segment: string): Model {
  const id = decodeSegment(segment);
  requireKnown(id);
  const chats = !id.includes("embed");
  return {
    id,
    object: "model",
    created: 1_750_000_000,
    owned_by: "mistralai",
    type: "base",
    capabilities: { completion_chat: chats, function_calling: chats },
  };
}

export function requireKnown(model: string): void {
  if (model.startsWith("no-such-")) throw unknownModel(model);
}
