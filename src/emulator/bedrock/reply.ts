/** Encodes a script as Converse's whole reply, and the parts that it shares with the stream: blocks, usage and why it stopped. */
import type { ContentBlock, ConverseResponse, StopReason, TokenUsage } from "@aws-sdk/client-bedrock-runtime";
import { sealOf } from "../claude/conversation.ts";
import type { Arrival } from "../exchange.ts";
import type { AcceptedInput } from "../play.ts";
import { randomAlphanumeric } from "../random.ts";
import type { Choice, Script } from "../script.ts";
import { splitWords } from "../tokens.ts";
import type { BedrockRequest } from "./request.ts";

/** A block with the pieces that it comes in, one token each. */
export type Block =
  | { readonly kind: "thought"; readonly pieces: readonly string[]; readonly signature: string }
  | { readonly kind: "text"; readonly pieces: readonly string[] }
  | {
      readonly kind: "call";
      readonly id: string;
      readonly name: string;
      readonly pieces: readonly string[];
      readonly cut: boolean;
    };

/** What one reply is made of. */
export interface Reply {
  readonly blocks: readonly Block[];
  readonly stopReason: StopReason;
  /** Undefined when a fault leaves it out. */
  readonly usage: WireUsage | undefined;
  readonly latencyMs: number;
  readonly serviceTier: unknown;
}

/** The figures of the cache stand there twice where there was a mark. */
type WireUsage = TokenUsage & {
  readonly cacheReadInputTokenCount?: number;
  readonly cacheWriteInputTokenCount?: number;
  readonly serverToolUsage: object;
};

export function writeReply(
  request: BedrockRequest,
  script: Script,
  input: AcceptedInput,
  arrival: Arrival,
): Reply {
  const [choice] = script.choices;
  return {
    blocks: choice ? blocksOf(choice, arrival) : [],
    stopReason: stopReasonOf(choice),
    usage: request.fault?.noUsage ? undefined : usageOf(request, script, input),
    latencyMs: 200 + Math.floor(arrival.random() * 1000),
    serviceTier: request.serviceTier,
  };
}

export function encodeReply(reply: Reply): string {
  const content = reply.blocks.map(wholeBlock);
  return JSON.stringify({
    metrics: { latencyMs: reply.latencyMs },
    output: { message: { content, role: "assistant" } },
    ...tierOf(reply),
    stopReason: reply.stopReason,
    ...(reply.usage === undefined ? {} : { usage: reply.usage }),
  } satisfies Partial<ConverseResponse> & object);
}

export function tierOf({ serviceTier }: Reply): object {
  return serviceTier === undefined ? {} : { serviceTier: { type: serviceTier } };
}

function stopReasonOf(choice: Choice | undefined): StopReason {
  if (choice?.finish === "length") return "max_tokens";
  return choice?.finish === "calls" ? "tool_use" : "end_turn";
}

function usageOf({ cache }: BedrockRequest, script: Script, input: AcceptedInput): WireUsage {
  const { inputTokens, cachedInputTokens: read, cacheWriteTokens: written } = input;
  const { outputTokens } = script;
  const counts = {
    inputTokens: inputTokens - read - written,
    outputTokens,
    serverToolUsage: {},
    totalTokens: inputTokens + outputTokens,
  };
  if (cache === undefined) return counts;
  return {
    cacheReadInputTokenCount: read,
    cacheReadInputTokens: read,
    cacheWriteInputTokenCount: written,
    cacheWriteInputTokens: written,
    ...(written > 0 ? { cacheDetails: [{ ttl: cache, inputTokens: written }] } : {}),
    ...counts,
  };
}

function blocksOf(choice: Choice, { random }: Arrival): Block[] {
  const blocks: Block[] = [];
  if (choice.reasoningTokens > 0) blocks.push(thought(choice.reasoningTokens));
  const text = choice.pieces.flatMap((piece) => (piece.kind === "text" ? [piece.text] : []));
  if (text.length > 0) blocks.push({ kind: "text", pieces: text });
  const calls = choice.pieces.filter((piece) => piece.kind === "call");
  for (const { call, name } of calls) {
    const pieces = choice.pieces.flatMap((piece) =>
      piece.kind === "arguments" && piece.call === call ? [piece.text] : [],
    );
    const cut = choice.finish === "length" && call === calls.length - 1;
    blocks.push({ kind: "call", id: `tooluse_${randomAlphanumeric(random, 22)}`, name, pieces, cut });
  }
  return blocks;
}

const THOUGHTS = splitWords(
  " It is asked for an answer, and the answer is known beforehand; so it can be given at once.",
);

function thought(tokens: number): Block {
  const words = Array.from({ length: tokens }, (_, index) => THOUGHTS[index % THOUGHTS.length] ?? "");
  const pieces = [words[0]?.trimStart() ?? "", ...words.slice(1)];
  return { kind: "thought", pieces, signature: sealOf(pieces.join("")) };
}

function wholeBlock(block: Block): ContentBlock {
  const text = block.pieces.join("");
  switch (block.kind) {
    case "thought":
      return { reasoningContent: { reasoningText: { signature: block.signature, text } } };
    case "text":
      return { text };
    case "call": {
      // What was cut off is no JSON, and so left out of a whole message.
      const input = block.cut ? {} : JSON.parse(text || "{}");
      return { toolUse: { input, name: block.name, toolUseId: block.id } };
    }
  }
}
