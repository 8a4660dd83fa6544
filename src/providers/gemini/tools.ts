/** Tools and the choice among them, for Google's body. */
import type { ChatRequest } from "../../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { Tool } from "../../../gen/ts/llmgateway/v1/message_pb.ts";
import type { Violation } from "../../core/failure.ts";
import { objectOf, rawSchema } from "../raw_json.ts";
import { chosenTool } from "../tool_choice.ts";
import type { ToolConfig } from "./api.ts";

/** The one tool that holds them all, as JSON text. */
export function encodeTools(tools: readonly Tool[], wrong: Violation[]): string {
  const declarations = tools.map((tool, i) => encodeTool(tool, `tools[${i}]`, wrong));
  return `{"functionDeclarations":[${declarations.join(",")}]}`;
}

/**
 * The mode that keeps a tool's arguments to its schema is one for all tools.
 *
 * @returns undefined for the provider's own way, which is `auto`
 */
export function encodeToolConfig(request: ChatRequest, wrong: Violation[]): ToolConfig | undefined {
  const { toolChoice, tools } = request;
  switch (toolChoice) {
    case "":
    case "auto":
      if (tools.some(({ strict }) => strict)) return config("VALIDATED");
      return toolChoice ? config("AUTO") : undefined;
    case "none":
      return config("NONE");
    case "required":
      return config("ANY");
    default:
      chosenTool(request, wrong);
      return { functionCallingConfig: { mode: "ANY", allowedFunctionNames: [toolChoice] } };
  }
}

function config(mode: ToolConfig["functionCallingConfig"]["mode"]): ToolConfig {
  return { functionCallingConfig: { mode } };
}

/** `parametersJsonSchema` takes JSON schema as it is; `parameters` would take OpenAPI's subset alone. */
function encodeTool(tool: Tool, path: string, wrong: Violation[]): string {
  if (tool.freeText) {
    const description = "this provider has no free-text tools; give it a schema with one string";
    wrong.push({ field: `${path}.free_text`, description });
  }
  const declaration = new Map([["name", JSON.stringify(tool.name)]]);
  if (tool.description) declaration.set("description", JSON.stringify(tool.description));
  const raw = rawSchema(`${path}.parameters_json`, tool.parametersJson, wrong);
  const schema = raw || (tool.parameters && JSON.stringify(tool.parameters));
  if (schema) declaration.set("parametersJsonSchema", schema);
  return objectOf(declaration);
}
