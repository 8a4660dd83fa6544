/**
 * The conversation, for Anthropic's body: users and assistants in turn, what
 * tools answered as a user's, and instructions apart.
 */
import type { MessageParam } from "@anthropic-ai/sdk/resources/messages";
import type { Message, Part } from "../../../gen/ts/llmgateway/v1/message_pb.ts";
import type { Violation } from "../../core/failure.ts";
import { plainCallId } from "../call_id.ts";
import { isBlank, misplaced, toolResultsOf } from "../parts.ts";
import { encodeAssistant } from "./assistant.ts";
import { type Block, encodeContent, markLast, textBlock, wholeBlock } from "./blocks.ts";
import { encodeFile, encodeImage } from "./media.ts";

export interface Conversation {
  /** JSON text; empty when there are no instructions. */
  readonly system: string;
  /** JSON text of the list. */
  readonly messages: string;
}

interface Turn {
  readonly role: "user" | "assistant";
  readonly blocks: Block[];
}

/**
 * Instructions go to the top, wherever they stand: only the newest models take
 * them inside of the conversation. Speakers of one role cannot be told apart, so
 * that names are left out; a message in which nothing is left is too.
 */
export function encodeMessages(messages: readonly Message[], wrong: Violation[]): Conversation {
  const system: Block[] = [];
  const turns: Turn[] = [];
  messages.forEach((message, i) => {
    const path = `messages[${i}]`;
    const blocks = blocksOf(message, path, wrong);
    if (message.cache && !markLast(blocks, message.cache))
      wrong.push({
        field: `${path}.cache`,
        description: "there is nothing in the message that can be marked",
      });
    const { role } = message;
    if (role === "system" || role === "developer") system.push(...blocks);
    else if (blocks.length > 0) take(turns, role === "assistant" ? role : "user", blocks);
  });
  if (turns.length === 0) wrong.push({ field: "messages", description: "there is nothing to answer" });
  return {
    system: system.length > 0 ? encodeContent(system) : "",
    messages: `[${turns.map(encodeTurn).join(",")}]`,
  };
}

function take(turns: Turn[], role: Turn["role"], blocks: Block[]): void {
  const last = turns.at(-1);
  if (last?.role === role) last.blocks.push(...blocks);
  else turns.push({ role, blocks });
}

function encodeTurn({ role, blocks }: Turn): string {
  return `{"role":${JSON.stringify(role satisfies MessageParam["role"])},"content":${encodeContent(blocks)}}`;
}

function blocksOf(message: Message, path: string, wrong: Violation[]): Block[] {
  switch (message.role) {
    case "system":
    case "developer":
      return encodeTexts(message, path, wrong, () => undefined);
    case "user":
      return required(encodeTexts(message, path, wrong, media), path, wrong);
    case "assistant":
      return encodeAssistant(message, path, wrong);
    case "tool":
      return encodeToolResults(message, path, wrong);
    default:
      wrong.push({ field: `${path}.role`, description: `"${message.role}" is no role` });
      return [];
  }

  function media({ part, cache }: Part, at: string): Block | undefined {
    if (part.case === "image") return wholeBlock(encodeImage(part.value, `${at}.image`, wrong), cache);
    if (part.case === "file") return wholeBlock(encodeFile(part.value, `${at}.file`, wrong), cache);
    return undefined;
  }
}

function required(blocks: Block[], path: string, wrong: Violation[]): Block[] {
  if (blocks.length === 0) wrong.push({ field: `${path}.content`, description: "must not be empty" });
  return blocks;
}

/** The texts of a message, `content` first, and what else there is a place for. */
function encodeTexts(
  message: Message,
  path: string,
  wrong: Violation[],
  other: (part: Part, path: string) => Block | undefined,
): Block[] {
  const blocks: Block[] = isBlank(message.content) ? [] : [textBlock(message.content, 0)];
  message.parts.forEach((part, j) => {
    if (part.part.case === "text") {
      if (!isBlank(part.part.value)) blocks.push(textBlock(part.part.value, 0, part.cache));
      return;
    }
    const at = `${path}.parts[${j}]`;
    const block = other(part, at);
    if (block) blocks.push(block);
    else misplaced(part, at, message.role, wrong);
  });
  return blocks;
}

function encodeToolResults(message: Message, path: string, wrong: Violation[]): Block[] {
  return toolResultsOf(message, path, wrong).map(({ result, cache }) => {
    const { toolCallId, content, isError } = result;
    return wholeBlock(
      {
        type: "tool_result",
        tool_use_id: plainCallId(toolCallId),
        ...(content ? { content } : {}),
        ...(isError ? { is_error: true } : {}),
      },
      cache,
    );
  });
}
