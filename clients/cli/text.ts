/** What people are shown of an answer's events. */
import type { StreamResponse } from "../../gen/ts/llmgateway/v1/chat_pb.ts";

/** Text and refusals as they are, a tool call as its name and then its arguments. */
export function textOf({ token, refusal, toolCall }: StreamResponse): string {
  const { name = "", arguments: args = "", input = "" } = toolCall ?? {};
  return (token ?? refusal ?? "") + (name && `\n${name} `) + args + input;
}
