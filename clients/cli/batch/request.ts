/** A chat completion's body, as OpenAI's batches have it, as the gateway's request. It refuses what it would lose. */
import { fromJson, type JsonObject, type JsonValue } from "@bufbuild/protobuf";
import { type ChatRequest, ChatRequestSchema } from "../../../gen/ts/llmgateway/v1/chat_pb.ts";

export interface Translation {
  /** Goes before every model that names no provider; empty for none. */
  readonly provider: string;
  /** Whether fields that are not known here go to the provider as they are. */
  readonly extraBody: boolean;
}

type Body = Readonly<Record<string, JsonValue>>;

/** Fields of the body that are the gateway's parameters, by the gateway's names. */
const PARAMETERS: Readonly<Record<string, string>> = {
  temperature: "temperature",
  top_p: "top_p",
  seed: "seed",
  presence_penalty: "presence_penalty",
  frequency_penalty: "frequency_penalty",
  n: "choices",
  reasoning_effort: "reasoning_effort",
  parallel_tool_calls: "parallel_tool_calls",
  service_tier: "service_tier",
  max_tokens: "max_tokens",
  max_completion_tokens: "max_tokens",
};

/** Throws an Error that names the field. */
export function decodeBody(body: Body, { provider, extraBody }: Translation): ChatRequest {
  const parameters: Record<string, JsonValue> = {};
  const request: Record<string, JsonValue> = {};
  const extra: Record<string, JsonValue> = {};
  for (const [name, value] of Object.entries(body)) {
    if (value === null) continue;
    const parameter = PARAMETERS[name];
    const decode = FIELDS[name];
    if (parameter) parameters[parameter] = value;
    else if (name === "stop") parameters.stop = typeof value === "string" ? [value] : value;
    else if (decode) Object.assign(request, decode(value));
    else if (name === "stream" && value === false) continue;
    else if (name === "stream") throw new Error("stream: a batch does not stream; leave it out");
    else if (extraBody) extra[name] = value;
    else throw new Error(`${name}: the gateway does not know it; --extra-body hands it on to the provider`);
  }
  if (!Array.isArray(request.messages)) throw new Error("messages: are missing");
  if (provider && typeof request.model === "string" && !request.model.includes("/"))
    request.model = `${provider}/${request.model}`;
  return fromJson(ChatRequestSchema, {
    ...request,
    parameters,
    ...(Object.keys(extra).length > 0 ? { extra_body: extra } : {}),
  });
}

const FIELDS: Readonly<Record<string, (value: JsonValue) => JsonObject>> = {
  model: (model) => ({ model }),
  metadata: (metadata) => ({ metadata }),
  messages: (value) => ({ messages: list(value, "messages").map(messageOf) }),
  tools: (value) => ({ tools: list(value, "tools").map(toolOf) }),
  tool_choice: (value) => ({ tool_choice: typeof value === "string" ? value : nameOf(value, "tool_choice") }),
  response_format(value) {
    const { type = "", json_schema: given, ...others } = object(value, "response_format");
    if (Object.keys(others).length > 0) throw unknownIn("response_format", others);
    const { schema, ...named } = object(given ?? {}, "response_format.json_schema");
    const schemaJson = schema === undefined ? {} : { schema_json: JSON.stringify(schema) };
    return { response_format: { type, ...named, ...schemaJson } };
  },
};

function messageOf(value: JsonValue, index: number): JsonObject {
  const place = `messages[${index}]`;
  const { role = "", content, name, tool_calls, tool_call_id, refusal, ...others } = object(value, place);
  // What providers answer with, and is sent back to them without meaning.
  const unknown = Object.entries(others).filter(([, other]) => other !== null);
  if (unknown.length > 0) throw unknownIn(place, Object.fromEntries(unknown));
  const named = name ? { name } : {};
  if (role === "tool") {
    const text = typeof content === "string" ? content : textOf(content ?? [], `${place}.content`);
    const result = { tool_call_id: tool_call_id ?? "", content: text };
    return { role, ...named, parts: [{ tool_result: result }] };
  }
  const parts = [
    ...(Array.isArray(content) ? content.map((part, at) => partOf(part, `${place}.content[${at}]`)) : []),
    ...(refusal ? [{ refusal }] : []),
    ...list(tool_calls ?? [], `${place}.tool_calls`).map((one, at) =>
      callOf(one, `${place}.tool_calls[${at}]`),
    ),
  ];
  return { role, ...named, ...(typeof content === "string" ? { content } : {}), parts };
}

function partOf(value: JsonValue, place: string): JsonObject {
  const part = object(value, place);
  switch (part.type) {
    case "text":
      return { text: part.text ?? "" };
    case "refusal":
      return { refusal: part.refusal ?? "" };
    case "image_url": {
      const { url = "", detail } = object(part.image_url ?? {}, `${place}.image_url`);
      return { image: { url, ...(detail ? { detail } : {}) } };
    }
    case "file": {
      const { file_data, file_id, filename } = object(part.file ?? {}, `${place}.file`);
      const source = file_data ? { url: file_data } : { file_id: file_id ?? "" };
      return { file: { ...source, ...(filename ? { name: filename } : {}) } };
    }
    default:
      throw new Error(`${place}.type: must be text, image_url, file or refusal`);
  }
}

function callOf(value: JsonValue, place: string): JsonObject {
  const call = object(value, place);
  const custom = call.type === "custom";
  const { name = "", arguments: args, input } = object((custom ? call.custom : call.function) ?? {}, place);
  return {
    tool_call: { id: call.id ?? "", name, ...(custom ? { input: input ?? "" } : { arguments: args ?? "" }) },
  };
}

function toolOf(value: JsonValue, index: number): JsonObject {
  const place = `tools[${index}]`;
  const tool = object(value, place);
  if (tool.type === "custom") {
    const { name = "", description = "", format } = object(tool.custom ?? {}, `${place}.custom`);
    const { grammar } = object(format ?? {}, `${place}.custom.format`);
    return { name, description, free_text: object(grammar ?? {}, `${place}.custom.format.grammar`) };
  }
  if (tool.type !== "function") throw new Error(`${place}.type: must be function or custom`);
  const { parameters, ...others } = object(tool.function ?? {}, `${place}.function`);
  // As text, since the order of keys may matter to the model.
  return { ...others, ...(parameters === undefined ? {} : { parameters_json: JSON.stringify(parameters) }) };
}

function nameOf(value: JsonValue, place: string): JsonValue {
  const choice = object(value, place);
  const { name } = object(choice.function ?? choice.custom ?? {}, place);
  if (name === undefined) throw new Error(`${place}: must be auto, none, required or name one tool`);
  return name;
}

function textOf(value: JsonValue, place: string): string {
  return list(value, place)
    .map((part, at) => {
      const { type, text } = object(part, `${place}[${at}]`);
      if (type !== "text" || typeof text !== "string") throw new Error(`${place}[${at}]: must be text`);
      return text;
    })
    .join("");
}

function object(value: JsonValue, place: string): Record<string, JsonValue> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw new Error(`${place}: must be an object`);
}

function list(value: JsonValue, place: string): JsonValue[] {
  if (Array.isArray(value)) return value;
  throw new Error(`${place}: must be a list`);
}

function unknownIn(place: string, fields: object): Error {
  return new Error(`${place}: the gateway does not know ${Object.keys(fields).join(", ")}`);
}
