/**
 * Encodes a script as Mistral's stream. Recordings: the role comes first and without padding; thoughts are lists of
 * chunks and text is text, but the first word stands in one list with the last thought; calls come whole; the last
 * word bears the reason to finish, and the very last one the usage.
 */
import type { ContentChunk$Outbound, ToolCall$Outbound } from "@mistralai/mistralai/models/components";
import { frame, sse } from "../openai/stream.ts";
import type { Frame } from "../play.ts";
import type { Random } from "../random.ts";
import type { Choice, Script } from "../script.ts";
import { finishReason, type ReplyHead, thoughts, toolCalls, type Usage } from "./reply.ts";

export interface StreamShape {
  readonly head: ReplyHead;
  /** Undefined when a fault leaves it out. */
  readonly usage: Usage | undefined;
  /** Draws the padding. */
  readonly random: Random;
}

interface Delta {
  readonly content?: string | ContentChunk$Outbound[];
  readonly tool_calls?: ToolCall$Outbound[];
}

/** What one chunk says, and how many tokens that is. */
type Said = readonly [delta: Delta, tokens: number];

export function* encodeStream(script: Script, shape: StreamShape): Generator<Frame> {
  const choices = script.choices.map((choice) => saidIn(choice, shape.head));
  for (const index of choices.keys()) {
    const opening = { index, delta: { role: "assistant", content: "" }, finish_reason: null };
    yield frame("opening", sse(chunkOf(shape, opening)));
  }
  const longest = Math.max(...choices.map((said) => said.length));
  // Choices differ in length, so that the last one need not be the last to end.
  const lastToEnd = choices.findLastIndex((said) => said.length === longest);
  for (let at = 0; at < longest; at++) {
    for (const [index, said] of choices.entries()) {
      const [delta, tokens] = said[at] ?? [undefined, 0];
      if (delta === undefined) continue;
      const last = at === said.length - 1;
      const reason = last ? finishReason(script.choices[index] as Choice) : null;
      const ends = at === longest - 1 && index === lastToEnd;
      const body = chunkOf(shape, { index, delta, finish_reason: reason });
      yield frame(last ? "finish" : "content", padded(body, ends ? shape.usage : undefined, shape), tokens);
    }
  }
  yield frame("end", "data: [DONE]\n\n");
}

/** Never empty, as something has to bear the reason to finish. */
function saidIn(choice: Choice, head: ReplyHead): Said[] {
  const thought = thoughts(choice.reasoningTokens);
  const said = thought.map((text, at): Said => [{ content: [thinking(text, at > 0)] }, 1]);
  const calls = toolCalls(choice, head);
  if (calls.length > 0) return [...said, [{ tool_calls: calls }, choice.pieces.length]];
  const words = choice.pieces.map((piece) => (piece.kind === "text" ? piece.text : ""));
  const [first, ...rest] = words;
  const lastThought = thought.at(-1);
  if (first !== undefined && lastThought !== undefined) {
    said[said.length - 1] = [{ content: [thinking(lastThought, true), { type: "text", text: first }] }, 2];
    return [...said, ...rest.map((content): Said => [{ content }, 1])];
  }
  said.push(...words.map((content): Said => [{ content }, 1]));
  return said.length > 0 ? said : [[{ content: "" }, 0]];
}

/** All but the first say that they are closed. */
function thinking(text: string, closed: boolean): ContentChunk$Outbound {
  return { type: "thinking", thinking: [{ type: "text", text }], ...(closed ? { closed } : {}) };
}

function chunkOf({ head }: StreamShape, choice: object): object {
  const { id, created, model } = head;
  return { id, object: "chat.completion.chunk", created, model, choices: [choice] };
}

const PADDING = "abcdefghijklmnopqrstuvwxyz0123456789";

/** Up to 36 characters, so that a chunk's size does not give its word away. */
function padded(body: object, usage: Usage | undefined, { random }: StreamShape): string {
  const p = PADDING.slice(0, 1 + Math.floor(random() * PADDING.length));
  return sse({ ...body, ...(usage === undefined ? {} : { usage }), p });
}
