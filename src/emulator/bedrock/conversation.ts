/** Reads a conversation off Converse's wire, and holds it to the rules that Bedrock has for one. */
import { sealOf } from "../claude/conversation.ts";
import { asObject, type Fields, isObject } from "../json.ts";
import type { Turn } from "../script.ts";
import { countTokens, TOKENS_PER_IMAGE } from "../tokens.ts";
import { Refusal } from "./errors.ts";

export interface Conversation {
  readonly turns: Turn[];
  /** The text of the last user message that has some. */
  readonly question: string;
}

/** Throws Refusal for a conversation that is none, blank texts, and thoughts that were changed. */
export function decodeConversation({ system, messages, toolConfig }: Fields): Conversation {
  if (!Array.isArray(messages) || messages.length === 0)
    throw new Refusal("The request must contain at least one message.");
  if (asObject(messages[0]).role !== "user") {
    throw new Refusal(
      "A conversation must start with a user message. Try again with a conversation that starts with a user message.",
    );
  }
  const names = new Set<unknown>();
  const turns = messages.map((message, index) => decodeMessage(asObject(message), index, names));
  const callsTools = messages.some((message) =>
    blocksOf(asObject(message).content).some((block) => "toolUse" in block || "toolResult" in block),
  );
  if (callsTools && !isObject(toolConfig)) {
    throw new Refusal(
      "The toolConfig field must be defined when using toolUse and toolResult content blocks.",
    );
  }
  const instructions = blocksOf(system);
  const first = instructions.length > 0 ? [turnOf("system", instructions)] : [];
  const asked = turns.findLast((turn) => turn.role === "user" && turn.text !== "");
  return { turns: [...first, ...turns], question: asked?.text ?? "" };
}

function decodeMessage({ role, content }: Fields, index: number, names: Set<unknown>): Turn {
  if (role !== "user" && role !== "assistant")
    throw new Refusal(
      `Value '${role}' at 'messages.${index}.member.role' failed to satisfy enum value set: [user, assistant]`,
    );
  const blocks = blocksOf(content);
  if (blocks.length === 0)
    throw new Refusal(
      `The content field in the Message object at messages.${index} is empty. Add a ContentBlock object to the content field and try again.`,
    );
  blocks.forEach((block, place) => {
    requireBlock(block, `messages.${index}.content.${place}`, names);
  });
  const turn = turnOf(role, blocks);
  // Results are what the next answer is about, and not a question.
  return blocks.some((block) => "toolResult" in block) ? { ...turn, role: "tool" } : turn;
}

const DOCUMENT_NAME = /^[A-Za-z0-9()[\]-]+(?:\s[A-Za-z0-9()[\]-]+)*$/;

function requireBlock(block: Fields, path: string, names: Set<unknown>): void {
  const { text, toolUse, document, reasoningContent } = block;
  if (typeof text === "string" && text.trim() === "")
    throw new Refusal(
      `The text field in the ContentBlock object at ${path} is blank. Add text to the text field, and try again.`,
    );
  if (isObject(toolUse) && !isObject(toolUse.input))
    throw new Refusal(
      `The format of the value at ${path}.toolUse.input is invalid. Provide a json object for the field and try again.`,
    );
  if (isObject(document)) {
    if (!DOCUMENT_NAME.test(String(document.name))) {
      throw new Refusal(
        "The document file name can only contain alphanumeric characters, whitespace characters, hyphens, parentheses, and square brackets. The name can't contain more than one consecutive whitespace character.",
      );
    }
    if (names.has(document.name))
      throw new Refusal(`Duplicate document names are not allowed: ${document.name}`);
    names.add(document.name);
  }
  const { text: thought, signature } = asObject(asObject(reasoningContent).reasoningText);
  if (thought !== undefined && signature !== sealOf(String(thought)))
    throw new Refusal(
      `The model returned the following errors: ${path}: Invalid \`signature\` in \`thinking\` block`,
    );
}

function blocksOf(content: unknown): Fields[] {
  return Array.isArray(content) ? content.map(asObject) : [];
}

function turnOf(role: string, blocks: readonly Fields[]): Turn {
  const text = blocks.map((block) => String(block.text ?? "")).join("");
  let tokens = countTokens(text);
  for (const block of blocks) {
    if ("image" in block) tokens += TOKENS_PER_IMAGE;
    else if (!("text" in block) && !("cachePoint" in block)) tokens += countTokens(JSON.stringify(block));
  }
  return { role, text, tokens };
}
