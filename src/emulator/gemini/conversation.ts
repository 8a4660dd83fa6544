/** Reads a conversation off Google's wire, and holds it to the rules that Google has for one. */

import { asObject, type Fields } from "../json.ts";
import type { Turn } from "../script.ts";
import { countTokens, TOKENS_PER_IMAGE } from "../tokens.ts";
import { Refusal } from "./errors.ts";
import { generationOf } from "./models.ts";

export interface Conversation {
  readonly turns: Turn[];
  /** The text of the last turn of the user that has some. */
  readonly question: string;
}

/** Throws Refusal for a conversation that is none, results without calls, and calls whose signature is gone. */
export function decodeConversation(body: Fields, model: string): Conversation {
  const contents = listOf(body.contents);
  if (contents.length === 0)
    throw new Refusal("* GenerateContentRequest.contents: contents is not specified\n");
  const turns = contents.map((content, index) => decodeContent(content, index, model));
  contents.forEach((content, index) => {
    requireAnswers(content, contents[index + 1]);
  });
  const instructions = partsOf(asObject(body.systemInstruction ?? body.system_instruction));
  const first = instructions.length > 0 ? [turnOf("system", instructions)] : [];
  const asked = turns.findLast((turn) => turn.role === "user" && turn.text !== "");
  return { turns: [...first, ...turns], question: asked?.text ?? "" };
}

function decodeContent(content: Fields, index: number, model: string): Turn {
  const { role = "user" } = content;
  if (role !== "user" && role !== "model" && role !== "function")
    throw new Refusal("Please use a valid role: user, model.");
  const parts = partsOf(content);
  if (parts.length === 0)
    throw new Refusal(
      `* GenerateContentRequest.contents[${index}].parts: contents.parts must not be empty.\n`,
    );
  requireSignature(parts, index, model);
  const turn = turnOf(role === "model" ? "assistant" : "user", parts);
  // Results are what the next answer is about, and not a question.
  return parts.some(({ functionResponse }) => functionResponse) ? { ...turn, role: "tool" } : turn;
}

/** Gemini 3 wants back what it signed; of parallel calls that is the first. */
function requireSignature(parts: readonly Fields[], index: number, model: string): void {
  const call = parts.find(({ functionCall }) => functionCall);
  if (call === undefined || call.thoughtSignature || generationOf(model) < 3) return;
  throw new Refusal(
    `Function call is missing a thought_signature in functionCall parts. This is required for tools to work correctly, and missing thought_signature may lead to degraded model performance. Additional data, function call \`${asObject(call.functionCall).name}\` , position ${index}.`,
  );
}

/** Every call of a turn is answered in the next. */
function requireAnswers(content: Fields, next: Fields | undefined): void {
  const calls = partsOf(content).filter(({ functionCall }) => functionCall);
  if (calls.length === 0 || next === undefined) return;
  const answers = partsOf(next).filter(({ functionResponse }) => functionResponse);
  if (answers.length !== calls.length) {
    throw new Refusal(
      "Please ensure that the number of function response parts is equal to the number of function call parts of the function call turn.",
    );
  }
}

function partsOf({ parts }: Fields): Fields[] {
  return listOf(parts);
}

function listOf(value: unknown): Fields[] {
  return (Array.isArray(value) ? value : []).map(asObject);
}

function turnOf(role: string, parts: readonly Fields[]): Turn {
  const text = parts.map((part) => (part.thought ? "" : String(part.text ?? ""))).join("");
  let tokens = countTokens(text);
  for (const part of parts) {
    if (part.inlineData || part.fileData) tokens += TOKENS_PER_IMAGE;
    else if (part.text === undefined) tokens += countTokens(JSON.stringify(part));
  }
  return { role, text, tokens };
}
