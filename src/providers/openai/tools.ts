/** Tools, the choice among them and the form of the answer, for OpenAI's body. */
import type {
  ChatCompletionCustomTool,
  ChatCompletionFunctionTool,
  ChatCompletionToolChoiceOption,
} from "openai/resources/chat/completions";
import type {
  ResponseFormatJSONObject,
  ResponseFormatJSONSchema,
  ResponseFormatText,
} from "openai/resources/shared";
import type { ChatRequest } from "../../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { ResponseFormat, Tool, Tool_FreeText } from "../../../gen/ts/llmgateway/v1/message_pb.ts";
import type { Violation } from "../../core/failure.ts";
import { rawSchema, stringifyWith } from "../raw_json.ts";
import { chosenTool } from "../tool_choice.ts";

/** The list as JSON text, since schemas that came as text stay as they are. */
export function encodeTools(tools: readonly Tool[], wrong: Violation[]): string {
  return `[${tools.map((tool, i) => encodeTool(tool, `tools[${i}]`, wrong)).join(",")}]`;
}

export function encodeToolChoice(request: ChatRequest, wrong: Violation[]): ChatCompletionToolChoiceOption {
  const { toolChoice } = request;
  if (toolChoice === "auto" || toolChoice === "none" || toolChoice === "required") return toolChoice;
  return chosenTool(request, wrong)?.freeText
    ? { type: "custom", custom: { name: toolChoice } }
    : { type: "function", function: { name: toolChoice } };
}

/** JSON text, for the same reason as the tools. OpenAI wants a name for every schema. */
export function encodeResponseFormat(format: ResponseFormat, wrong: Violation[]): string {
  if (format.type === "text") return JSON.stringify({ type: "text" } satisfies ResponseFormatText);
  if (format.type === "json_object")
    return JSON.stringify({ type: "json_object" } satisfies ResponseFormatJSONObject);
  if (format.type !== "json_schema") {
    wrong.push({ field: "response_format.type", description: "must be text, json_object or json_schema" });
  }
  const schema: ResponseFormatJSONSchema.JSONSchema = { name: format.name || "response" };
  if (format.description) schema.description = format.description;
  if (format.strict !== undefined) schema.strict = format.strict;
  if (format.schema) schema.schema = format.schema;
  const raw = rawSchema("response_format.schema_json", format.schemaJson, wrong);
  return stringifyWith(
    { type: "json_schema" },
    { json_schema: stringifyWith(schema, raw ? { schema: raw } : {}) },
  );
}

function encodeTool(tool: Tool, path: string, wrong: Violation[]): string {
  if (tool.freeText) return JSON.stringify(encodeCustomTool(tool, tool.freeText, path, wrong));
  const definition: ChatCompletionFunctionTool["function"] = { name: tool.name };
  if (tool.description) definition.description = tool.description;
  if (tool.strict !== undefined) definition.strict = tool.strict;
  if (tool.parameters) definition.parameters = tool.parameters;
  const raw = rawSchema(`${path}.parameters_json`, tool.parametersJson, wrong);
  return stringifyWith(
    { type: "function" },
    { function: stringifyWith(definition, raw ? { parameters: raw } : {}) },
  );
}

function encodeCustomTool(
  tool: Tool,
  freeText: Tool_FreeText,
  path: string,
  wrong: Violation[],
): ChatCompletionCustomTool {
  const schema = tool.parameters ? "parameters" : tool.parametersJson ? "parameters_json" : undefined;
  if (schema) wrong.push({ field: `${path}.${schema}`, description: "a free-text tool has no schema" });
  if (tool.strict !== undefined) {
    wrong.push({ field: `${path}.strict`, description: "a free-text tool has no schema to keep to" });
  }
  const custom: ChatCompletionCustomTool.Custom = { name: tool.name };
  if (tool.description) custom.description = tool.description;
  const { syntax, definition } = freeText;
  if (syntax === "lark" || syntax === "regex") {
    if (!definition)
      wrong.push({ field: `${path}.free_text.definition`, description: `a ${syntax} grammar is missing` });
    custom.format = { type: "grammar", grammar: { syntax, definition } };
  } else if (syntax || definition) {
    wrong.push({ field: `${path}.free_text.syntax`, description: "a grammar is in lark or regex" });
  }
  return { type: "custom", custom };
}
