/** Tools, the choice among them and the form of the answer, for Converse, as JSON text. */
import type { JsonSchemaDefinition, ToolChoice, ToolSpecification } from "@aws-sdk/client-bedrock-runtime";
import type { ChatRequest } from "../../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { ResponseFormat, Tool } from "../../../gen/ts/llmgateway/v1/message_pb.ts";
import type { Violation } from "../../core/failure.ts";
import { rawSchema, stringifyWith } from "../raw_json.ts";
import { chosenTool } from "../tool_choice.ts";
import { cachePoint } from "./messages.ts";

/**
 * Converse has no choice of none, so that no tool is declared then; but it wants
 * the declarations of those that were called before. Empty for no tools.
 */
export function encodeToolConfig(request: ChatRequest, callsTools: boolean, wrong: Violation[]): string {
  const { tools, toolChoice } = request;
  if (toolChoice === "none") {
    if (callsTools)
      wrong.push({
        field: "tool_choice",
        description: "none is not known to this provider after a tool was called; use auto",
      });
    return "";
  }
  if (tools.length === 0 && !toolChoice) return "";
  const list = tools.flatMap((tool, i) => {
    const spec = encodeTool(tool, `tools[${i}]`, wrong);
    return tool.cache ? [spec, cachePoint(tool.cache)] : [spec];
  });
  const choice = toolChoice ? `,"toolChoice":${encodeToolChoice(request, wrong)}` : "";
  return `{"tools":[${list.join(",")}]${choice}}`;
}

/** Empty for text. A schema is always kept to exactly, so that `strict` says nothing more. */
export function encodeOutputFormat(format: ResponseFormat, wrong: Violation[]): string {
  if (format.type === "text") return "";
  if (format.type !== "json_schema") {
    const known = "this provider knows text and json_schema; a schema is what makes it write JSON";
    wrong.push({ field: "response_format.type", description: known });
    return "";
  }
  const raw = rawSchema("response_format.schema_json", format.schemaJson, wrong);
  const jsonSchema: JsonSchemaDefinition = { schema: raw || JSON.stringify(format.schema ?? {}) };
  if (format.name) jsonSchema.name = format.name;
  if (format.description) jsonSchema.description = format.description;
  return JSON.stringify({ type: "json_schema", structure: { jsonSchema } });
}

const NO_ARGUMENTS = '{"type":"object","properties":{}}';

function encodeTool(tool: Tool, path: string, wrong: Violation[]): string {
  if (tool.freeText)
    wrong.push({
      field: `${path}.free_text`,
      description: "the provider has no free-text tools; give parameters",
    });
  const spec: Omit<ToolSpecification, "inputSchema"> = { name: tool.name };
  if (tool.description) spec.description = tool.description;
  if (tool.strict !== undefined) spec.strict = tool.strict;
  const raw = rawSchema(`${path}.parameters_json`, tool.parametersJson, wrong);
  const schema = raw || (tool.parameters ? JSON.stringify(tool.parameters) : NO_ARGUMENTS);
  return `{"toolSpec":${stringifyWith(spec, { inputSchema: `{"json":${schema}}` })}}`;
}

function encodeToolChoice(request: ChatRequest, wrong: Violation[]): string {
  return JSON.stringify(choiceOf(request, wrong));
}

function choiceOf(request: ChatRequest, wrong: Violation[]): ToolChoice {
  const { toolChoice } = request;
  if (toolChoice === "auto") return { auto: {} };
  if (toolChoice === "required") return { any: {} };
  return { tool: { name: chosenTool(request, wrong)?.name } };
}
