/** The pieces of a message that every provider must place, and what is said of one that has no place. */
import type { CacheMark, Message, Part, ToolResult } from "../../gen/ts/llmgateway/v1/message_pb.ts";
import type { Violation } from "../core/failure.ts";

const PART_NAMES = {
  text: "text",
  image: "image",
  file: "file",
  toolCall: "tool_call",
  toolResult: "tool_result",
  reasoning: "reasoning",
  refusal: "refusal",
  citation: "citation",
  providerPart: "provider_part",
} as const;

export function misplaced({ part }: Part, path: string, role: string, wrong: Violation[]): void {
  if (!part.case) wrong.push({ field: path, description: "is empty" });
  else {
    const name = PART_NAMES[part.case];
    wrong.push({
      field: `${path}.${name}`,
      description: `a message of role ${role} has no ${name} for this provider`,
    });
  }
}

/** Claude and Bedrock refuse such a text wherever it stands, though models say some beside their calls. */
export function isBlank(text: string): boolean {
  return text.trim() === "";
}

export interface PlacedResult {
  readonly result: ToolResult;
  readonly cache: CacheMark | undefined;
}

/** What a message of role `tool` holds, which is results and nothing else. */
export function toolResultsOf(message: Message, path: string, wrong: Violation[]): PlacedResult[] {
  const results: PlacedResult[] = [];
  message.parts.forEach((part, j) => {
    if (part.part.case === "toolResult") results.push({ result: part.part.value, cache: part.cache });
    else misplaced(part, `${path}.parts[${j}]`, message.role, wrong);
  });
  if (results.length === 0) {
    wrong.push({ field: `${path}.parts`, description: "a tool message needs a tool_result part" });
  } else if (message.content) {
    wrong.push({
      field: `${path}.content`,
      description: "what a tool answered goes in its tool_result part",
    });
  }
  return results;
}
