/** The blocks that a message is made of, for Anthropic's body, and the marks for its prompt cache. */
import type {
  CacheControlEphemeral,
  ContentBlockParam,
  TextBlockParam,
} from "@anthropic-ai/sdk/resources/messages";
import type { CacheMark } from "../../../gen/ts/llmgateway/v1/message_pb.ts";
import { stringifyWith, withMembers } from "../raw_json.ts";

/** A block until all of it is known: a mark or a citation may still come to it. */
export type Block = TextBlock | WholeBlock;

export interface TextBlock {
  text: string;
  /** Where it begins in the whole text of its message. */
  readonly at: number;
  /** As JSON texts. */
  readonly citations: string[];
  cache: CacheMark | undefined;
}

export interface WholeBlock {
  /** JSON text, as what callers sent as text stays as it is. */
  readonly json: string;
  /** Thoughts bear no mark. */
  readonly markable: boolean;
  cache: CacheMark | undefined;
}

export function textBlock(text: string, at: number, cache?: CacheMark): TextBlock {
  return { text, at, citations: [], cache };
}

/** @param members of the block, whose values are JSON text already */
export function wholeBlock(
  block: Partial<ContentBlockParam>,
  cache?: CacheMark,
  members: Readonly<Record<string, string>> = {},
): WholeBlock {
  const markable = block.type !== "thinking" && block.type !== "redacted_thinking";
  return { json: stringifyWith(block, members), markable, cache };
}

/** The content of a message as JSON text: a lone plain text as a string. */
export function encodeContent(blocks: readonly Block[]): string {
  const [only] = blocks;
  if (blocks.length === 1 && only && isText(only) && only.citations.length === 0 && !only.cache) {
    return JSON.stringify(only.text);
  }
  return `[${blocks.map(encodeBlock).join(",")}]`;
}

/** Keeping for an hour needs no beta header any more. */
export function encodeCacheMark({ ttl }: CacheMark): CacheControlEphemeral {
  return ttl ? { type: "ephemeral", ttl: ttl as "5m" | "1h" } : { type: "ephemeral" };
}

/** Ends a cached part behind the last block that can bear the mark; false when there is none. */
export function markLast(blocks: readonly Block[], cache: CacheMark): boolean {
  const last = blocks.findLast((block) => isText(block) || block.markable);
  if (last) last.cache ??= cache;
  return last !== undefined;
}

export function isText(block: Block): block is TextBlock {
  return "text" in block;
}

function encodeBlock(block: Block): string {
  const cache: Record<string, string> = block.cache
    ? { cache_control: JSON.stringify(encodeCacheMark(block.cache)) }
    : {};
  if (!isText(block)) return withMembers(block.json, cache);
  const wire: TextBlockParam = { type: "text", text: block.text };
  const citations = block.citations.length > 0 ? { citations: `[${block.citations.join(",")}]` } : {};
  return stringifyWith(wire, { ...citations, ...cache });
}
