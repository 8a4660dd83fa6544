/**
 * Decides what is said: the pieces of text and tool calls, the reasoning, and every token count. The same seed and
 * prompt always give the same script. It knows no provider's wire format.
 */
import { hashText, mixSeeds, mulberry32 } from "./random.ts";
import { sampleJson } from "./sample.ts";
import { splitJson, splitWords, TOKENS_PER_MESSAGE, TOKENS_PER_PROMPT } from "./tokens.ts";

/** One message of the conversation. */
export interface Turn {
  readonly role: string;
  /** All its text. */
  readonly text: string;
  /** What its content counts, text included. */
  readonly tokens: number;
}

export interface Tool {
  readonly name: string;
  /** Free text instead of JSON arguments. */
  readonly custom: boolean;
  readonly schema: unknown;
}

/** What a request asks for, in no provider's terms. */
export interface Prompt {
  readonly turns: readonly Turn[];
  /** The last user message without its directives. */
  readonly question: string;
  readonly tools: readonly Tool[];
  /** What the tools' declarations count. */
  readonly toolTokens: number;
  readonly toolChoice: "none" | "auto" | "required" | { readonly name: string };
  readonly parallelCalls: boolean;
  /** `json`: any object, or one that satisfies the schema. */
  readonly output: { readonly kind: "text" } | { readonly kind: "json"; readonly schema?: unknown };
  /** Bounds reasoning and pieces together, for each choice. */
  readonly maxTokens?: number;
  readonly choices: number;
  readonly stop: readonly string[];
  readonly reasoningTokens: number;
  /** Overrides the length of a text. */
  readonly tokens?: number;
}

/** What one output token carries. */
export type Piece =
  | { readonly kind: "text"; readonly text: string }
  /** Opens the tool call of that index. */
  | { readonly kind: "call"; readonly call: number; readonly name: string; readonly custom: boolean }
  | { readonly kind: "arguments"; readonly call: number; readonly text: string; readonly custom: boolean };

export interface Choice {
  readonly pieces: readonly Piece[];
  /** Comes before the pieces. */
  readonly reasoningTokens: number;
  readonly finish: "stop" | "length" | "calls";
}

export interface Script {
  readonly choices: readonly Choice[];
  readonly inputTokens: number;
  /** One for each piece, and the reasoning. */
  readonly outputTokens: number;
  readonly reasoningTokens: number;
}

export function writeScript(seed: number, prompt: Prompt): Script {
  const calls = calledTools(prompt);
  const choices = Array.from({ length: prompt.choices }, (_, index) => {
    if (calls.length > 0) return bounded(calls.flatMap(callPieces), "calls", prompt);
    return bounded(stopped(saidPieces(seed, prompt, index), prompt.stop), "stop", prompt);
  });
  const reasoningTokens = choices.reduce((sum, choice) => sum + choice.reasoningTokens, 0);
  return {
    choices,
    inputTokens: prompt.turns.reduce(
      (sum, turn) => sum + turn.tokens + TOKENS_PER_MESSAGE,
      TOKENS_PER_PROMPT + prompt.toolTokens,
    ),
    outputTokens: choices.reduce((sum, choice) => sum + choice.pieces.length, reasoningTokens),
    reasoningTokens,
  };
}

/** The tools to call: the forced one, those that the question names, or the first when some call is required. */
function calledTools(prompt: Prompt): readonly Tool[] {
  const { tools, toolChoice, question } = prompt;
  if (tools.length === 0 || toolChoice === "none") return [];
  if (typeof toolChoice === "object") return tools.filter((tool) => tool.name === toolChoice.name);
  // After a tool's result comes the answer; otherwise an agent that follows the calls would never end.
  if (toolChoice === "auto" && prompt.turns.at(-1)?.role !== "user") return [];
  const named = tools.filter((tool) => mentions(question, tool.name));
  const called = named.length === 0 && toolChoice === "required" ? tools.slice(0, 1) : named;
  return prompt.parallelCalls ? called : called.slice(0, 1);
}

function mentions(text: string, name: string): boolean {
  for (let at = text.indexOf(name); at !== -1; at = text.indexOf(name, at + 1)) {
    const around = text.charAt(at - 1) + text.charAt(at + name.length);
    if (name !== "" && !/[\w-]/.test(around)) return true;
  }
  return false;
}

function callPieces(tool: Tool, call: number): Piece[] {
  const { custom } = tool;
  const text = custom
    ? `sample ${tool.name}`
    : JSON.stringify(sampleJson(tool.schema, "required", tool.name));
  const split = splitJson(text).map((piece): Piece => ({ kind: "arguments", call, text: piece, custom }));
  return [{ kind: "call", call, name: tool.name, custom }, ...split];
}

const ENDINGS: readonly (readonly Piece[])[] = [
  " It comes from the emulator, so it costs nothing and never changes.",
  " With the same seed, the same question is always answered with these words.",
  " No model was asked; every word of it was known before.",
  " Ask again with another seed, and other sentences follow.",
  " It is short on purpose, so that tests stay quick.",
  " Its tokens are metered all the same, one for each word.",
].map(textPieces);

function saidPieces(seed: number, prompt: Prompt, choice: number): readonly Piece[] {
  const random = mulberry32(mixSeeds(hashText(prompt.question, seed), choice));
  if (prompt.output.kind === "json") return jsonPieces(prompt.output.schema, topicOf(prompt.question));
  const first = Math.floor(random() * ENDINGS.length);
  const second = (first + 1 + Math.floor(random() * (ENDINGS.length - 1))) % ENDINGS.length;
  const opening = textPieces(`This is the answer to "${topicOf(prompt.question)}".`);
  const said = opening.concat(ENDINGS[first] ?? [], ENDINGS[second] ?? []);
  return prompt.tokens === undefined ? said : stretched(said, prompt.tokens);
}

/** The first words, enough to recognise the question by. */
function topicOf(question: string): string {
  const start = question.slice(0, 80).replace(/[\ud800-\udbff]$/, "");
  const words = start.trim().split(/\s+/);
  return words.slice(0, 8).join(" ");
}

function jsonPieces(schema: unknown, topic: string): Piece[] {
  const value = schema === undefined ? { answer: topic } : sampleJson(schema, "all", topic);
  return splitJson(JSON.stringify(value)).map((text): Piece => ({ kind: "text", text }));
}

function stretched(said: readonly Piece[], tokens: number): readonly Piece[] {
  const more = ENDINGS.flat();
  return Array.from({ length: tokens }, (_, index) => {
    const piece = said[index] ?? more[(index - said.length) % more.length];
    return piece ?? { kind: "text", text: " more" };
  });
}

function textPieces(text: string): Piece[] {
  return splitWords(text).map((word) => ({ kind: "text", text: word }));
}

/** Ends before the earliest stop sequence. */
function stopped(pieces: readonly Piece[], stop: readonly string[]): readonly Piece[] {
  if (stop.length === 0) return pieces;
  const text = pieces.map((piece) => (piece.kind === "text" ? piece.text : "")).join("");
  const ends = stop.map((sequence) => text.indexOf(sequence)).filter((at) => at !== -1);
  return ends.length === 0 ? pieces : textPieces(text.slice(0, Math.min(...ends)));
}

/** Ends where the bound is reached; reasoning is the first to use it up. */
function bounded(pieces: readonly Piece[], finish: Choice["finish"], prompt: Prompt): Choice {
  const most = prompt.maxTokens ?? Number.POSITIVE_INFINITY;
  const reasoningTokens = Math.min(prompt.reasoningTokens, most);
  if (pieces.length + reasoningTokens <= most && reasoningTokens === prompt.reasoningTokens) {
    return { pieces, reasoningTokens, finish };
  }
  return { pieces: pieces.slice(0, most - reasoningTokens), reasoningTokens, finish: "length" };
}
