/**
 * Encodes a reply as ConverseStream's events. Recordings: every event is padded by `p`, a text has no
 * `contentBlockStart`, and the usage comes in `metadata` behind `messageStop`.
 */
import type { Frame } from "../play.ts";
import type { Random } from "../random.ts";
import { eventFrame } from "./frames.ts";
import { type Block, type Reply, tierOf } from "./reply.ts";

/** @param random draws the padding */
export function* encodeStream(reply: Reply, random: Random): Generator<Frame> {
  const frame = (kind: Frame["kind"], type: string, payload: object, tokens = 0, thought = false): Frame => ({
    kind,
    text: eventFrame(type, { ...payload, p: padding(random) }),
    outputTokens: tokens,
    reasoningTokens: thought ? tokens : 0,
  });
  yield frame("opening", "messageStart", { role: "assistant" });
  for (const [contentBlockIndex, block] of reply.blocks.entries()) {
    if (block.kind === "call") {
      const start = { toolUse: { name: block.name, toolUseId: block.id } };
      yield frame("content", "contentBlockStart", { contentBlockIndex, start }, 1);
    }
    for (const { delta, tokens } of deltasOf(block)) {
      const kind = tokens > 0 ? "content" : "opening";
      yield frame(kind, "contentBlockDelta", { contentBlockIndex, delta }, tokens, block.kind === "thought");
    }
    yield frame("opening", "contentBlockStop", { contentBlockIndex });
  }
  yield frame("finish", "messageStop", { stopReason: reply.stopReason });
  const usage = reply.usage === undefined ? {} : { usage: reply.usage };
  yield frame("end", "metadata", { metrics: { latencyMs: reply.latencyMs }, ...tierOf(reply), ...usage });
}

const PADDING = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/** The beginning of the alphabet, so that a message's size does not give its word away. */
export function padding(random: Random): string {
  return PADDING.slice(0, 2 + Math.floor(random() * (PADDING.length - 2)));
}

const WORDS_PER_THOUGHT = 8;

function* deltasOf(block: Block): Generator<{ delta: object; tokens: number }> {
  switch (block.kind) {
    case "thought":
      for (let at = 0; at < block.pieces.length; at += WORDS_PER_THOUGHT) {
        const words = block.pieces.slice(at, at + WORDS_PER_THOUGHT);
        yield { delta: { reasoningContent: { text: words.join("") } }, tokens: words.length };
      }
      yield { delta: { reasoningContent: { signature: block.signature } }, tokens: 0 };
      return;
    case "text":
      for (const text of block.pieces) yield { delta: { text }, tokens: 1 };
      return;
    case "call":
      for (const input of block.pieces) yield { delta: { toolUse: { input } }, tokens: 1 };
  }
}
