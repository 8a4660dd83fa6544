/** Encodes a script as Anthropic's whole message, and the parts that it shares with the stream: head, usage and blocks. */
import type { Arrival } from "../exchange.ts";
import type { AcceptedInput } from "../play.ts";
import { hashText, mulberry32, randomAlphanumeric } from "../random.ts";
import type { Choice, Script } from "../script.ts";
import { splitWords } from "../tokens.ts";
import { sealOf } from "./conversation.ts";
import { servedName } from "./models.ts";
import type { MessageRequest } from "./request.ts";

/** What one reply is made of. */
export interface Reply {
  readonly id: string;
  readonly model: string;
  readonly blocks: readonly Block[];
  readonly stopReason: string;
  readonly stopSequence: string | null;
  /** Undefined when a fault leaves it out. */
  readonly usage: ReplyUsage | undefined;
}

/** A block with the pieces that it comes in, one token each. */
export type Block =
  | { readonly type: "thinking"; readonly pieces: readonly string[]; readonly signature: string }
  | { readonly type: "redacted_thinking"; readonly data: string; readonly tokens: number }
  | { readonly type: "text"; readonly pieces: readonly string[] }
  | {
      readonly type: "tool_use";
      readonly id: string;
      readonly name: string;
      readonly pieces: readonly string[];
      /** The end of its arguments was cut off. */
      readonly cut: boolean;
    };

/** As the whole message has it; a stream has it in two parts. */
export interface ReplyUsage {
  readonly input_tokens: number;
  readonly cache_creation_input_tokens: number;
  readonly cache_read_input_tokens: number;
  readonly cache_creation: {
    readonly ephemeral_5m_input_tokens: number;
    readonly ephemeral_1h_input_tokens: number;
  };
  readonly output_tokens: number;
  readonly output_tokens_details?: { readonly thinking_tokens: number };
  readonly service_tier: string;
  readonly inference_geo: string;
}

export function writeReply(
  request: MessageRequest,
  script: Script,
  input: AcceptedInput,
  arrival: Arrival,
  stopSequence: string | null,
): Reply {
  const [choice] = script.choices;
  const id = `msg_01${randomAlphanumeric(arrival.random, 22)}`;
  return {
    id,
    model: servedName(request.model),
    blocks: choice ? blocksOf(choice, request, arrival) : [],
    stopReason: request.refused ? "refusal" : stopReasonOf(choice, stopSequence),
    stopSequence,
    usage: request.fault?.noUsage ? undefined : usageOf(request, script, input),
  };
}

export function encodeReply(reply: Reply): string {
  return JSON.stringify({
    ...head(reply),
    content: reply.blocks.map(wholeBlock),
    stop_reason: reply.stopReason,
    stop_sequence: reply.stopSequence,
    stop_details: stopDetails(reply),
    ...(reply.usage === undefined ? {} : { usage: reply.usage }),
  });
}

export function head({ id, model }: Reply): { readonly [field: string]: string } {
  return { model, id, type: "message", role: "assistant" };
}

export function stopDetails({ stopReason }: Reply): object | null {
  if (stopReason !== "refusal") return null;
  return { type: "refusal", category: "cyber", explanation: "The emulator was told to decline this." };
}

/** Called by the caller's own model, and not by code that it wrote. */
export const CALLER = { type: "direct" } as const;

function stopReasonOf(choice: Choice | undefined, stopSequence: string | null): string {
  if (stopSequence !== null) return "stop_sequence";
  if (choice?.finish === "length") return "max_tokens";
  return choice?.finish === "calls" ? "tool_use" : "end_turn";
}

function usageOf({ cache }: MessageRequest, script: Script, input: AcceptedInput): ReplyUsage {
  const { inputTokens, cachedInputTokens, cacheWriteTokens } = input;
  const thoughts =
    script.reasoningTokens > 0 ? { output_tokens_details: { thinking_tokens: script.reasoningTokens } } : {};
  return {
    input_tokens: inputTokens - cachedInputTokens - cacheWriteTokens,
    cache_creation_input_tokens: cacheWriteTokens,
    cache_read_input_tokens: cachedInputTokens,
    cache_creation: {
      ephemeral_5m_input_tokens: cache === "1h" ? 0 : cacheWriteTokens,
      ephemeral_1h_input_tokens: cache === "1h" ? cacheWriteTokens : 0,
    },
    output_tokens: script.outputTokens,
    ...thoughts,
    service_tier: "standard",
    inference_geo: "not_available",
  };
}

function blocksOf(choice: Choice, { redacted }: MessageRequest, { random }: Arrival): Block[] {
  const blocks: Block[] = [];
  if (choice.reasoningTokens > 0) blocks.push(thoughts(choice.reasoningTokens, redacted));
  const text = choice.pieces.flatMap((piece) => (piece.kind === "text" ? [piece.text] : []));
  if (text.length > 0) blocks.push({ type: "text", pieces: text });
  const calls = choice.pieces.filter((piece) => piece.kind === "call");
  for (const { call, name } of calls) {
    const pieces = choice.pieces.flatMap((piece) =>
      piece.kind === "arguments" && piece.call === call ? [piece.text] : [],
    );
    const cut = choice.finish === "length" && call === calls.length - 1;
    // A tool without parameters is called with nothing at all.
    const empty = pieces.join("") === "{}";
    const id = `toolu_01${randomAlphanumeric(random, 22)}`;
    blocks.push({ type: "tool_use", id, name, pieces: empty ? [] : pieces, cut });
  }
  return blocks;
}

const THOUGHTS = splitWords(
  " The question is plain, and so the answer can be. Nothing has to be looked up for it; every word is known.",
);

function thoughts(tokens: number, redacted: boolean): Block {
  if (redacted) {
    const data = randomAlphanumeric(mulberry32(hashText("redacted", tokens)), 240);
    return { type: "redacted_thinking", data, tokens };
  }
  const words = Array.from({ length: tokens }, (_, index) => THOUGHTS[index % THOUGHTS.length] ?? "");
  const pieces = [words[0]?.trimStart() ?? "", ...words.slice(1)];
  return { type: "thinking", pieces, signature: sealOf(pieces.join("")) };
}

function wholeBlock(block: Block): object {
  switch (block.type) {
    case "thinking":
      return { type: "thinking", thinking: block.pieces.join(""), signature: block.signature };
    case "redacted_thinking":
      return { type: "redacted_thinking", data: block.data };
    case "text":
      return { type: "text", text: block.pieces.join("") };
    case "tool_use": {
      const { id, name, pieces, cut } = block;
      // What was cut off is no JSON, and so left out of a whole message.
      const input: unknown = cut ? {} : JSON.parse(pieces.join("") || "{}");
      return { type: "tool_use", id, name, input, caller: CALLER };
    }
  }
}
