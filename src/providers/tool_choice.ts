/** The choice of one tool by its name. */
import type { ChatRequest } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { Tool } from "../../gen/ts/llmgateway/v1/message_pb.ts";
import type { Violation } from "../core/failure.ts";

/** The tool that `tool_choice` names; a violation when there is none of that name. */
export function chosenTool({ toolChoice, tools }: ChatRequest, wrong: Violation[]): Tool | undefined {
  const tool = tools.find(({ name }) => name === toolChoice);
  if (!tool) {
    const description = `must be auto, none, required or the name of one of the tools; "${toolChoice}" is none of them`;
    wrong.push({ field: "tool_choice", description });
  }
  return tool;
}
