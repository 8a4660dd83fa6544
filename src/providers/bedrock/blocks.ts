/**
 * What a model said, out of the content blocks of Converse: whole ones, and those that come in pieces. It
 * keeps what must be known across the pieces.
 */
import type { ReasoningContentBlock, ToolUseBlock } from "@aws-sdk/client-bedrock-runtime";
import type { StreamResponse } from "../../../gen/ts/llmgateway/v1/chat_pb.ts";
import { event, reasoning, toolCallDelta } from "../../core/reply.ts";
import { isObject } from "../malformed.ts";
import { integer, textOf } from "../values.ts";
import { citationEvent } from "./citation.ts";
import type { Received } from "./wire.ts";

/** As `provider_part` names who understands it. */
export const PROVIDER = "bedrock";

/** A member of a union, by its name: of a `ContentBlock`, of its start, of its delta. */
type Fields = Readonly<Record<string, unknown>>;

/** A block of which more may come. */
type Open = OpenText | OpenCall | OpenPart;

/** Text and thoughts, which are said at once; their sources are told behind them. */
interface OpenText {
  readonly kind: "text";
  readonly citations: object[];
}

interface OpenCall {
  readonly kind: "call";
  readonly call: number;
  said: boolean;
}

/** What only Bedrock understands, such as the tools that it calls itself: told when it is whole. */
interface OpenPart {
  readonly kind: "part";
  readonly name: string;
  readonly fields: Record<string, unknown>;
  /** JSON text in pieces. */
  input: string;
}

/** All of these throw a TypeError for what has the wrong shape. */
export class BlockDecoder {
  private readonly open = new Map<number, Open>();
  private calls = 0;

  start(index: unknown, start: unknown, events: StreamResponse[]): void {
    // A block that begins again is the same one.
    if (this.open.has(integer(index))) return;
    for (const [name, value] of Object.entries(fieldsOf(start))) {
      const fields = fieldsOf(value);
      if (name === "toolUse" && isCallers(fields)) {
        const call = this.calls++;
        this.open.set(integer(index), { kind: "call", call, said: false });
        events.push(callEvent(call, fields));
      } else {
        this.open.set(integer(index), { kind: "part", name, fields: { ...fields }, input: "" });
      }
    }
  }

  /** Nothing for an empty text. */
  delta(index: unknown, delta: unknown, events: StreamResponse[]): void {
    const block = this.open.get(integer(index));
    for (const [name, value] of Object.entries(fieldsOf(delta))) {
      if (name === "text") say(value, events);
      else if (name === "reasoningContent") think(fieldsOf(value), events);
      else if (name === "citation") this.cite(integer(index), fieldsOf(value));
      else if (block?.kind === "call") addArguments(block, fieldsOf(value), events);
      else if (block?.kind === "part") addToPart(block, value);
    }
  }

  /** Without an argument a tool is called with `{}`. */
  stop(index: unknown, events: StreamResponse[]): void {
    const block = this.open.get(integer(index));
    this.open.delete(integer(index));
    if (block?.kind === "text") for (const citation of block.citations) events.push(citationEvent(citation));
    else if (block?.kind === "call" && !block.said) addArguments(block, { input: "{}" }, events);
    else if (block?.kind === "part") {
      const input = block.input ? { input: asJson(block.input) } : {};
      events.push(partEvent(block.name, { ...block.fields, ...input }));
    }
  }

  /** A block that came as a whole. */
  whole(block: unknown, events: StreamResponse[]): void {
    for (const [name, value] of Object.entries(fieldsOf(block))) {
      if (name === "text") say(value, events);
      else if (name === "reasoningContent") thinkWhole(fieldsOf(value), events);
      else if (name === "citationsContent") sayWithCitations(fieldsOf(value), events);
      else if (name === "toolUse" && isCallers(fieldsOf(value))) {
        const said = callEvent(this.calls++, fieldsOf(value));
        if (said.toolCall) said.toolCall.arguments = JSON.stringify(fieldsOf(value).input ?? {});
        events.push(said);
      } else events.push(partEvent(name, fieldsOf(value)));
    }
  }

  private cite(index: number, citation: object): void {
    const block = this.open.get(index);
    if (block?.kind === "text") block.citations.push(citation);
    else if (!block) this.open.set(index, { kind: "text", citations: [citation] });
  }
}

/** Tools that Bedrock calls itself are none of the caller's business; Nova says `tool_use` of the others. */
function isCallers({ type }: Received<ToolUseBlock>): boolean {
  return !type || String(type) === "tool_use";
}

function callEvent(call: number, { toolUseId, name }: Received<ToolUseBlock>): StreamResponse {
  return event({ toolCall: toolCallDelta(call, { id: textOf(toolUseId), name: textOf(name) }) });
}

function addArguments(block: OpenCall, fields: Received<ToolUseBlock>, events: StreamResponse[]): void {
  const args = textOf(fields.input);
  if (!args) return;
  block.said = true;
  events.push(event({ toolCall: toolCallDelta(block.call, { arguments: args }) }));
}

/** JSON text is joined, the results of a tool are gathered, and anything else is laid over what came before. */
function addToPart(block: OpenPart, value: unknown): void {
  if (Array.isArray(value)) {
    const { content } = block.fields;
    block.fields.content = [...(Array.isArray(content) ? content : []), ...value];
    return;
  }
  const { input, ...others } = fieldsOf(value);
  if (typeof input === "string") block.input += input;
  else if (input !== undefined) block.fields.input = input;
  Object.assign(block.fields, others);
}

function say(text: unknown, events: StreamResponse[]): void {
  const token = textOf(text);
  if (token) events.push(event({ token }));
}

function sayWithCitations({ content, citations }: Fields, events: StreamResponse[]): void {
  for (const piece of listOf(content)) say(fieldsOf(piece).text, events);
  for (const citation of listOf(citations)) events.push(citationEvent(fieldsOf(citation)));
}

/** In pieces text and signature stand where the whole has a `reasoningText` around them. */
function thinkWhole(content: Received<ReasoningContentBlock>, events: StreamResponse[]): void {
  think(content.reasoningText ? { ...content, ...fieldsOf(content.reasoningText) } : content, events);
}

/** What is redacted stays base64, as bytes are on the wire in both directions. */
function think(fields: Fields, events: StreamResponse[]): void {
  const text = textOf(fields.text);
  const signature = textOf(fields.signature);
  const redacted = textOf(fields.redactedContent);
  if (text || signature || redacted)
    events.push(event({ reasoning: reasoning({ text, signature, redacted }) }));
}

function partEvent(type: string, fields: Fields): StreamResponse {
  const json = JSON.stringify({ [type]: fields });
  return event({
    providerPart: { $typeName: "llmgateway.v1.ProviderPart", provider: PROVIDER, type, json },
  });
}

function asJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new TypeError("the input of a tool is not JSON", { cause });
  }
}

export function fieldsOf(value: unknown): Fields {
  if (value === undefined || value === null) return {};
  if (!isObject(value)) throw new TypeError(`an object is expected where ${typeof value} is`);
  return value as Fields;
}

export function listOf(value: unknown): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new TypeError(`a list is expected where ${typeof value} is`);
  return value;
}
