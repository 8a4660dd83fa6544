/**
 * Encodes a script as OpenAI's stream: one chunk a piece, choices in turns, usage in a chunk of its own when asked for.
 * Recordings: the role comes first with empty content; a single tool call opens in that chunk, several in their own;
 * every chunk is padded by `obfuscation`.
 */
import type { ChatCompletionChunk } from "openai/resources/chat/completions";
import type { CompletionUsage } from "openai/resources/completions";
import type { Frame } from "../play.ts";
import type { Random } from "../random.ts";
import type { Choice, Piece, Script } from "../script.ts";
import { CONTENT_FILTER_RESULTS, PROMPT_FILTER_RESULTS } from "./azure.ts";
import { isReasoning } from "./models.ts";
import { finishReason, type ReplyHead } from "./reply.ts";
import type { ChatRequest } from "./request.ts";

type Delta = ChatCompletionChunk.Choice.Delta;

export interface StreamShape {
  readonly head: ReplyHead;
  readonly request: ChatRequest;
  /** Sent in the last chunk; undefined when nobody asked or a fault leaves it out. */
  readonly usage: CompletionUsage | undefined;
  readonly azure: boolean;
  /** Draws the padding. */
  readonly random: Random;
}

export function* encodeStream(script: Script, shape: StreamShape): Generator<Frame> {
  if (shape.azure) yield frame("opening", sse(AZURE_FIRST_CHUNK));
  const openings = script.choices.map(openingPieces);
  for (const [index, choice] of script.choices.entries())
    yield roleFrame(choice, index, openings[index] ?? 0, shape);
  const longest = Math.max(...script.choices.map((choice) => choice.pieces.length));
  for (let at = 0; at < longest; at++) {
    for (const [index, choice] of script.choices.entries()) {
      const piece = at < (openings[index] ?? 0) ? undefined : choice.pieces[at];
      if (piece === undefined) continue;
      const reasoning = at === 0 ? choice.reasoningTokens : 0;
      yield frame(
        "content",
        chunk(shape, index, pieceDelta(piece, shape.head), null),
        1 + reasoning,
        reasoning,
      );
    }
  }
  for (const [index, choice] of script.choices.entries()) {
    const reasoning = choice.pieces.length === 0 ? choice.reasoningTokens : 0;
    yield frame("finish", chunk(shape, index, {}, finishReason(choice, shape.request)), reasoning, reasoning);
  }
  if (shape.usage !== undefined) yield frame("finish", sse(chunkObject(shape, [], shape.usage)));
  yield frame("end", "data: [DONE]\n\n");
}

/** One event that carries an object. */
export function sse(value: object): string {
  return `data: ${JSON.stringify(value)}\n\n`;
}

/** Recorded so: no id, no model, no choices. */
const AZURE_FIRST_CHUNK = {
  choices: [],
  created: 0,
  id: "",
  model: "",
  object: "",
  prompt_filter_results: PROMPT_FILTER_RESULTS,
};

/** How many pieces the role's chunk carries: a single tool call's opening, or none. */
function openingPieces(choice: Choice): number {
  const calls = choice.pieces.filter((piece) => piece.kind === "call").length;
  return calls === 1 ? 1 : 0;
}

function roleFrame(choice: Choice, index: number, opening: number, shape: StreamShape): Frame {
  const [first] = choice.pieces;
  const content = first === undefined || first.kind === "text" ? "" : null;
  const calls = opening === 1 && first !== undefined ? pieceDelta(first, shape.head) : {};
  const refusal = shape.azure ? {} : { refusal: null };
  const text = chunk(shape, index, { role: "assistant", content, ...calls, ...refusal }, null);
  if (opening === 0) return frame("opening", text);
  return frame("content", text, 1 + choice.reasoningTokens, choice.reasoningTokens);
}

function pieceDelta(piece: Piece, head: ReplyHead): Delta {
  switch (piece.kind) {
    case "text":
      return { content: piece.text };
    case "call": {
      const opened = { index: piece.call, id: head.callId(piece.call) };
      const { name } = piece;
      return piece.custom
        ? { tool_calls: [{ ...opened, type: "custom", custom: { name, input: "" } }] }
        : { tool_calls: [{ ...opened, type: "function", function: { name, arguments: "" } }] };
    }
    case "arguments":
      return piece.custom
        ? { tool_calls: [{ index: piece.call, custom: { input: piece.text } }] }
        : { tool_calls: [{ index: piece.call, function: { arguments: piece.text } }] };
  }
}

function chunk(
  shape: StreamShape,
  index: number,
  delta: Delta,
  finish: ChatCompletionChunk.Choice["finish_reason"],
): string {
  const choice: ChatCompletionChunk.Choice = {
    index,
    delta,
    ...(isReasoning(shape.request.model) ? {} : { logprobs: null }),
    finish_reason: finish,
  };
  const verdict = delta.content ? CONTENT_FILTER_RESULTS : {};
  const choices = [shape.azure ? { ...choice, content_filter_results: verdict } : choice];
  return sse(chunkObject(shape, choices, null));
}

/** `usage` is null on every chunk but the last when it was asked for, and absent when it was not. */
function chunkObject(
  shape: StreamShape,
  choices: ChatCompletionChunk.Choice[],
  usage: CompletionUsage | null,
): Omit<ChatCompletionChunk, "system_fingerprint"> & { system_fingerprint: string | null } {
  const { head, request, azure } = shape;
  return {
    id: head.id,
    object: "chat.completion.chunk",
    created: head.created,
    model: head.model,
    ...(azure ? {} : { service_tier: "default" as const }),
    system_fingerprint: head.fingerprint,
    choices,
    ...(request.includeUsage ? { usage } : {}),
    ...(request.obfuscate && !azure ? { obfuscation: padding(shape.random) } : {}),
  };
}

const PADDING = "k7Qw2ZpXv9RtLm4NcYb8HsJdF6gKaTe3";

/** Up to 15 characters, so that a chunk's size does not give its word away. */
function padding(random: Random): string {
  const start = Math.floor(random() * 16);
  return PADDING.slice(start, start + Math.floor(random() * 16));
}

export function frame(kind: Frame["kind"], text: string, outputTokens = 0, reasoningTokens = 0): Frame {
  return { kind, text, outputTokens, reasoningTokens };
}
