/** Reads a request off Mistral's wire: refuses what Mistral refuses, and says the rest in OpenAI's words. */
import type {
  ChatCompletionRequest$Outbound,
  EmbeddingRequest$Outbound,
} from "@mistralai/mistralai/models/components";
import { isObject } from "../json.ts";
import { decodeEmbedding, type EmbeddingRequest } from "../openai/embeddings.ts";
import { Refusal } from "../openai/errors.ts";
import { type ChatRequest, decodeChat as decodeLikeOpenAi } from "../openai/request.ts";
import { refusal } from "./errors.ts";
import { requireKnown } from "./models.ts";

type Fields = Readonly<Record<string, unknown>>;

/** All that Mistral knows; one that is missing here does not compile. */
const CHAT_FIELDS: Readonly<Record<keyof ChatCompletionRequest$Outbound, true>> = {
  model: true,
  temperature: true,
  top_p: true,
  max_tokens: true,
  stream: true,
  stop: true,
  random_seed: true,
  metadata: true,
  messages: true,
  response_format: true,
  tools: true,
  tool_choice: true,
  presence_penalty: true,
  frequency_penalty: true,
  n: true,
  prediction: true,
  parallel_tool_calls: true,
  reasoning_effort: true,
  prompt_mode: true,
  guardrails: true,
  prompt_cache_key: true,
  safe_prompt: true,
};
const EMBEDDING_FIELDS: Readonly<Record<keyof EmbeddingRequest$Outbound, true>> = {
  model: true,
  metadata: true,
  input: true,
  output_dimension: true,
  output_dtype: true,
  encoding_format: true,
};

/** One more was refused: mistral/error-400-batch. */
const MOST_INPUTS = 256;

/** Throws Refusal for what is missing, unknown, of a wrong type or out of order. */
export function decodeChat(body: Fields): ChatRequest {
  requireFields(body, CHAT_FIELDS);
  const model = modelOf(body);
  const messages = Array.isArray(body.messages) ? body.messages.filter(isObject) : body.messages;
  if (Array.isArray(messages)) {
    requireOrder(messages);
    requireCallIds(messages);
  }
  return decodeLikeOpenAi(
    {
      ...body,
      messages: Array.isArray(messages) ? messages.map(withoutThoughts) : messages,
      tool_choice: body.tool_choice === "any" ? "required" : body.tool_choice,
    },
    model,
  );
}

export function decodeEmbeddings(body: Fields): EmbeddingRequest {
  requireFields(body, EMBEDDING_FIELDS);
  if (Array.isArray(body.input) && body.input.length > MOST_INPUTS) {
    throw refusal(400, "Too many inputs in request, split into more batches.", "3210");
  }
  return decodeEmbedding({ ...body, dimensions: body.output_dimension }, modelOf(body));
}

function requireFields(body: Fields, known: Readonly<Record<string, true>>): void {
  for (const field of Object.keys(body)) {
    if (!Object.hasOwn(known, field)) {
      throw new Refusal(422, "Extra inputs are not permitted", "extra_forbidden", field);
    }
  }
}

function modelOf({ model }: Fields): string {
  if (typeof model !== "string" || model === "") throw new Refusal(422, "Field required", "missing", "model");
  requireKnown(model);
  return model;
}

function requireOrder(messages: readonly Fields[]): void {
  for (const [at, { role }] of messages.entries()) {
    const before = messages[at - 1]?.role;
    if ((role === "user" && before === "tool") || (role === "tool" && before === "user")) {
      throw refusal(400, `Unexpected role '${role}' after role '${before}'`, "3230");
    }
  }
  const last = messages.at(-1);
  if (last?.role === "assistant" && last.prefix !== true) {
    const message =
      "Expected last role User or Tool (or Assistant with prefix True) for serving but got assistant";
    throw refusal(400, message, "3230");
  }
}

function requireCallIds(messages: readonly Fields[]): void {
  for (const { tool_calls: calls, tool_call_id: answered } of messages) {
    const ids = (Array.isArray(calls) ? calls : []).map((call) => (isObject(call) ? call.id : undefined));
    for (const id of answered === undefined ? ids : [...ids, answered]) {
      if (typeof id === "string" && !/^[a-zA-Z0-9]{9}$/.test(id)) {
        const message = `Tool call id was ${id} but must be a-z, A-Z, 0-9, with a length of 9.`;
        throw refusal(400, message, "3280");
      }
    }
  }
}

/** Thoughts that come back are read as the text that they are. */
function withoutThoughts(message: Fields): Fields {
  const { content } = message;
  if (!Array.isArray(content)) return message;
  const flat = content.flatMap((chunk) =>
    isObject(chunk) && chunk.type === "thinking" && Array.isArray(chunk.thinking) ? chunk.thinking : [chunk],
  );
  return { ...message, content: flat };
}
