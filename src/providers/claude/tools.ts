/** Tools, the choice among them and the form of the answer, for Anthropic's body. */
import type { JSONOutputFormat, ToolChoice, Tool as WireTool } from "@anthropic-ai/sdk/resources/messages";
import type { ChatRequest } from "../../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { ResponseFormat, Tool } from "../../../gen/ts/llmgateway/v1/message_pb.ts";
import type { Violation } from "../../core/failure.ts";
import { rawSchema, stringifyWith } from "../raw_json.ts";
import { encodeCacheMark } from "./blocks.ts";

/** The list as JSON text, since schemas that came as text stay as they are. */
export function encodeTools(tools: readonly Tool[], wrong: Violation[]): string {
  return `[${tools.map((tool, i) => encodeTool(tool, `tools[${i}]`, wrong)).join(",")}]`;
}

function encodeTool(tool: Tool, path: string, wrong: Violation[]): string {
  if (tool.freeText) {
    const description = "the provider's tools take JSON: describe the input by parameters instead";
    wrong.push({ field: `${path}.free_text`, description });
  }
  const wire: Partial<WireTool> & Pick<WireTool, "name"> = { name: tool.name };
  if (tool.description) wire.description = tool.description;
  if (tool.strict !== undefined) wire.strict = tool.strict;
  if (tool.cache) wire.cache_control = encodeCacheMark(tool.cache);
  const raw = rawSchema(`${path}.parameters_json`, tool.parametersJson, wrong);
  return stringifyWith(wire, { input_schema: raw || JSON.stringify(tool.parameters ?? NO_ARGUMENTS) });
}

const NO_ARGUMENTS: WireTool.InputSchema = { type: "object", properties: {} };

/** Undefined for what the provider does by itself. It knows no choice where there are no tools. */
export function encodeToolChoice(
  { toolChoice, tools, parameters }: ChatRequest,
  wrong: Violation[],
): ToolChoice | undefined {
  const single = parameters?.parallelToolCalls === false ? { disable_parallel_tool_use: true } : {};
  switch (toolChoice) {
    case "":
    case "auto":
      if (tools.length === 0 || (!toolChoice && parameters?.parallelToolCalls !== false)) return undefined;
      return { type: "auto", ...single };
    case "none":
      return tools.length === 0 ? undefined : { type: "none" };
    case "required":
      if (tools.length === 0) wrong.push({ field: "tool_choice", description: "there is no tool to call" });
      return { type: "any", ...single };
  }
  if (!tools.some(({ name }) => name === toolChoice)) {
    const description = `must be auto, none, required or the name of one of the tools; "${toolChoice}" is none of them`;
    wrong.push({ field: "tool_choice", description });
  }
  return { type: "tool", name: toolChoice, ...single };
}

/** JSON text; empty for plain text. The schema's name is a label for other providers, and nothing goes by it. */
export function encodeResponseFormat(format: ResponseFormat, wrong: Violation[]): string {
  if (format.type === "text") return "";
  if (format.type !== "json_schema") {
    wrong.push({
      field: "response_format.type",
      description: "must be text or json_schema: the provider writes JSON only by a schema",
    });
  }
  if (format.description) {
    const description = "has no place of its own here: put it into the schema's description";
    wrong.push({ field: "response_format.description", description });
  }
  const type: JSONOutputFormat["type"] = "json_schema";
  const raw = rawSchema("response_format.schema_json", format.schemaJson, wrong);
  return stringifyWith({ type }, { schema: raw || JSON.stringify(format.schema ?? {}) });
}
