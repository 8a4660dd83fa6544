/**
 * Encodes a reply as Anthropic's stream. Recordings: every event names its type twice and is padded with spaces,
 * a ping comes behind the beginning of the first block, a call begins with an empty piece, a call that was cut off has
 * no end, and the usage at the end repeats the prompt's figures.
 */
import type { Frame } from "../play.ts";
import type { Random } from "../random.ts";
import { type Block, CALLER, head, type Reply, stopDetails } from "./reply.ts";

/** @param random draws the padding */
export function* encodeStream(reply: Reply, random: Random): Generator<Frame> {
  const event = (kind: Frame["kind"], value: WireEvent, outputTokens = 0, reasoningTokens = 0): Frame => ({
    kind,
    text: sse(value, random),
    outputTokens,
    reasoningTokens,
  });
  yield event("opening", { type: "message_start", message: startOf(reply) });
  for (const [index, block] of reply.blocks.entries()) {
    const begun = event("opening", { type: "content_block_start", index, content_block: emptyBlock(block) });
    yield { ...begun, ...chargeOf(block) };
    if (index === 0) yield { ...begun, kind: "opening", text: PING, outputTokens: 0, reasoningTokens: 0 };
    for (const { delta, tokens } of deltasOf(block)) {
      const reasoning = block.type === "thinking" ? tokens : 0;
      yield event(
        tokens > 0 ? "content" : "opening",
        { type: "content_block_delta", index, delta },
        tokens,
        reasoning,
      );
    }
    if (block.type !== "tool_use" || !block.cut)
      yield event("opening", { type: "content_block_stop", index });
  }
  yield event("finish", {
    type: "message_delta",
    delta: {
      stop_reason: reply.stopReason,
      stop_sequence: reply.stopSequence,
      stop_details: stopDetails(reply),
    },
    ...(reply.usage === undefined ? {} : { usage: finalUsage(reply.usage) }),
  });
  yield event("end", { type: "message_stop" });
}

interface WireEvent {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** One event, padded when there is something to draw from. */
export function sse(value: WireEvent, random?: Random): string {
  const padding = random === undefined ? "" : " ".repeat(Math.floor(random() * 16));
  return `event: ${value.type}\ndata: ${JSON.stringify(value)}${padding}\n\n`;
}

const PING = 'event: ping\ndata: {"type": "ping"}\n\n';

function startOf(reply: Reply): object {
  const { usage } = reply;
  const { output_tokens_details: _, ...figures } = usage ?? {};
  return {
    ...head(reply),
    content: [],
    stop_reason: null,
    stop_sequence: null,
    stop_details: null,
    // Before anything is said, the first token is counted all the same.
    ...(usage === undefined ? {} : { usage: { ...figures, output_tokens: 1 } }),
  };
}

function finalUsage(usage: NonNullable<Reply["usage"]>): object {
  const { cache_creation: _, service_tier: __, inference_geo: ___, ...figures } = usage;
  return figures;
}

function emptyBlock(block: Block): object {
  switch (block.type) {
    case "thinking":
      return { type: "thinking", thinking: "", signature: "" };
    case "redacted_thinking":
      return { type: "redacted_thinking", data: block.data };
    case "text":
      return { type: "text", text: "" };
    case "tool_use":
      return { type: "tool_use", id: block.id, name: block.name, input: {}, caller: CALLER };
  }
}

/** What a block says by its beginning alone. */
function chargeOf(block: Block): Partial<Frame> {
  if (block.type === "tool_use") return { kind: "content", outputTokens: 1 };
  if (block.type !== "redacted_thinking") return {};
  return { kind: "content", outputTokens: block.tokens, reasoningTokens: block.tokens };
}

const WORDS_PER_THOUGHT = 8;

function* deltasOf(block: Block): Generator<{ delta: object; tokens: number }> {
  switch (block.type) {
    case "thinking":
      for (let at = 0; at < block.pieces.length; at += WORDS_PER_THOUGHT) {
        const words = block.pieces.slice(at, at + WORDS_PER_THOUGHT);
        yield { delta: { type: "thinking_delta", thinking: words.join("") }, tokens: words.length };
      }
      yield { delta: { type: "signature_delta", signature: block.signature }, tokens: 0 };
      return;
    case "text":
      for (const text of block.pieces) yield { delta: { type: "text_delta", text }, tokens: 1 };
      return;
    case "tool_use":
      yield { delta: { type: "input_json_delta", partial_json: "" }, tokens: 0 };
      for (const partial_json of block.pieces)
        yield { delta: { type: "input_json_delta", partial_json }, tokens: 1 };
  }
}
