/** Reads a conversation off Anthropic's wire, and holds it to the rules that Anthropic has for one. */

import { asObject, type Fields, isObject } from "../json.ts";
import { hashText, mulberry32, randomAlphanumeric } from "../random.ts";
import type { Turn } from "../script.ts";
import { countTokens, TOKENS_PER_IMAGE } from "../tokens.ts";
import { Refusal } from "./errors.ts";

export interface Conversation {
  readonly turns: Turn[];
  /** The text of the last user message that has some. */
  readonly question: string;
}

/** Throws Refusal for a conversation that is none, results without calls, and thoughts that were changed. */
export function decodeConversation({ system, messages }: Fields): Conversation {
  if (messages === undefined) throw new Refusal("messages: Field required");
  if (!Array.isArray(messages)) throw new Refusal("messages: Input should be a valid array");
  if (messages.length === 0) throw new Refusal("messages: at least one message is required");
  const turns = messages.map((message, index) => decodeMessage(asObject(message), index));
  if (asObject(messages[0]).role !== "user")
    throw new Refusal('messages: first message must use the "user" role');
  messages.forEach((message, index) => {
    requireCalls(asObject(message), asObject(messages[index - 1]), index);
  });
  const blocks = blocksOf(system);
  const first = blocks.length > 0 ? [turnOf("system", blocks)] : [];
  const asked = turns.findLast((turn) => turn.role === "user" && turn.text !== "");
  return { turns: [...first, ...turns], question: asked?.text ?? "" };
}

/** The seal on a thought: whoever sends it back with another text is found out. */
export function sealOf(thoughts: string): string {
  const random = mulberry32(hashText(thoughts, 0x5ea1));
  return `${randomAlphanumeric(random, 180)}==`;
}

function decodeMessage({ role, content }: Fields, index: number): Turn {
  if (role !== "user" && role !== "assistant")
    throw new Refusal(`messages.${index}.role: Input should be 'user' or 'assistant'`);
  const blocks = blocksOf(content);
  if (blocks.length === 0) throw new Refusal(`messages.${index}: all messages must have non-empty content`);
  blocks.forEach((block, place) => {
    requireBlock(block, `messages.${index}.content.${place}`);
  });
  const turn = turnOf(role, blocks);
  // Results are what the next answer is about, and not a question.
  return blocks.some(({ type }) => type === "tool_result") ? { ...turn, role: "tool" } : turn;
}

function requireBlock(block: Fields, path: string): void {
  if (block.type === "text" && block.text === "")
    throw new Refusal(`messages: text content blocks must be non-empty`);
  if (block.type === "tool_use" && !isObject(block.input))
    throw new Refusal(`${path}.tool_use.input: Input should be a valid dictionary`);
  if (block.type === "thinking" && block.signature !== sealOf(String(block.thinking)))
    throw new Refusal(`${path}: Invalid \`signature\` in \`thinking\` block`);
}

/** Every result answers a call of the message before it. */
function requireCalls(message: Fields, before: Fields, index: number): void {
  const calls = new Set(
    blocksOf(before.content).flatMap(({ type, id }) => (type === "tool_use" ? [id] : [])),
  );
  blocksOf(message.content).forEach(({ type, tool_use_id: id }, place) => {
    if (type !== "tool_result" || calls.has(id)) return;
    throw new Refusal(
      `messages.${index}.content.${place}: unexpected \`tool_use_id\` found in \`tool_result\` blocks: ${id}. Each \`tool_result\` block must have a corresponding \`tool_use\` block in the previous message.`,
    );
  });
}

function blocksOf(content: unknown): Fields[] {
  if (typeof content === "string") return content === "" ? [] : [{ type: "text", text: content }];
  return Array.isArray(content) ? content.map(asObject) : [];
}

function turnOf(role: string, blocks: readonly Fields[]): Turn {
  const text = blocks.map((block) => (block.type === "text" ? String(block.text) : "")).join("");
  let tokens = countTokens(text);
  for (const block of blocks) {
    if (block.type === "image") tokens += TOKENS_PER_IMAGE;
    else if (block.type !== "text") tokens += countTokens(JSON.stringify(block));
  }
  return { role, text, tokens };
}
