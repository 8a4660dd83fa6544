/** What was said in requests, where the gateway keeps it: as text for people, and its deletion. */
import { toJsonString } from "@bufbuild/protobuf";
import type { Message, Part } from "../../gen/ts/llmgateway/v1/message_pb.ts";
import { DeleteRequestTextsResponseSchema, type RequestText } from "../../gen/ts/llmgateway/v1/usage_pb.ts";
import { call, JSON_OPTIONS } from "./call.ts";
import { InputError } from "./input-error.ts";
import type { JsonOptions } from "./jobs.ts";

export interface DeleteOptions extends JsonOptions {
  readonly all?: boolean;
}

export async function deleteTexts(
  id: string | undefined,
  { all = false, json, ...options }: DeleteOptions,
): Promise<number> {
  if (all === (id !== undefined))
    throw new InputError("give the id of a request to delete its text, or --all to delete that of every one");
  return call(options, async (gateway, signal) => {
    const reply = await gateway.deleteRequestTexts({ id: id ?? "", all }, { signal });
    const { deleted } = reply;
    process.stdout.write(
      json
        ? `${toJsonString(DeleteRequestTextsResponseSchema, reply, JSON_OPTIONS)}\n`
        : `${deleted === 1n ? "the text of 1 request is" : `the texts of ${deleted} requests are`} deleted\n`,
    );
  });
}

/** Who said what, each behind a line of its own. */
export function saidIn(text: RequestText | undefined): string {
  if (!text) return "\nWhat was said in it is not kept.\n";
  const answers = text.choices.flatMap(({ message }) => (message ? [message] : []));
  const all = [...text.messages, ...answers].map((message) => `\n[${message.role}]\n${wordsOf(message)}\n`);
  // Callers and models wrote it: nothing in it is for the terminal.
  const plain = all.join("").replace(/(?![\n\t])\p{Cc}/gu, "");
  return `${plain}${text.truncated ? "\nSome of it is not kept.\n" : ""}`;
}

function wordsOf({ content, parts }: Message): string {
  return [content, ...parts.map(({ part }) => partOf(part))].filter((words) => words !== "").join("\n");
}

function partOf(part: Part["part"]): string {
  switch (part.case) {
    case "text":
      return part.value;
    case "refusal":
      return `(refused) ${part.value}`;
    case "reasoning":
      return `(thought) ${part.value.text}`;
    case "toolCall":
      return `(calls ${part.value.name}) ${part.value.arguments || part.value.input}`;
    case "toolResult":
      return `(result) ${part.value.content}`;
    case "citation":
      return `(from ${part.value.url || part.value.title}) ${part.value.quote}`;
    case "providerPart":
      return `(${part.value.type}) ${part.value.json}`;
    default:
      return "";
  }
}
