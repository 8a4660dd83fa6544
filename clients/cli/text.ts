/** What people are shown of an answer. */
import type { StreamResponse } from "../../gen/ts/llmgateway/v1/chat_pb.ts";

/** Text and refusals as they are, a tool call as its name and then its arguments. */
export function textOf({ token, refusal, toolCall }: StreamResponse): string {
  const { name = "", arguments: args = "", input = "" } = toolCall ?? {};
  return (token ?? refusal ?? "") + (name && `\n${name} `) + args + input;
}

/** Models wrote it: a terminal would obey some of it instead of showing it. Files and other programs are given it all. */
export function print(words: string, out: NodeJS.WriteStream = process.stdout): void {
  out.write(out.isTTY ? words.replace(/(?![\n\t])\p{Cc}/gu, "") : words);
}
