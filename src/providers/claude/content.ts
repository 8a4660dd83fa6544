/**
 * What Claude said, out of the blocks of a stream or of a whole reply: both are
 * the same, whether they come in pieces or at once. It keeps what must be known
 * until a block is complete.
 */
import type { TextCitation } from "@anthropic-ai/sdk/resources/messages";
import type { StreamResponse } from "../../../gen/ts/llmgateway/v1/chat_pb.ts";
import { event, reasoning, toolCallDelta } from "../../core/reply.ts";
import { isObject } from "../malformed.ts";
import { isJsonObject, stringifyWith } from "../raw_json.ts";
import { integer, textOf } from "../values.ts";
import { CLAUDE } from "./traits.ts";

/** Any of the SDK's blocks, and those to come. */
interface WireBlock {
  readonly type?: unknown;
  readonly text?: unknown;
  readonly citations?: unknown;
  readonly thinking?: unknown;
  readonly signature?: unknown;
  readonly data?: unknown;
  readonly id?: unknown;
  readonly name?: unknown;
  readonly input?: unknown;
}

/** Any of the SDK's deltas, and those to come. */
interface WireDelta {
  readonly type?: unknown;
  readonly text?: unknown;
  readonly thinking?: unknown;
  readonly signature?: unknown;
  readonly partial_json?: unknown;
  readonly citation?: unknown;
}

interface OpenBlock {
  readonly type: string;
  readonly wire: Record<string, unknown>;
  /** Where its text begins in the whole text. */
  readonly at: number;
  /** Which of the caller's tools is called; what the provider calls itself is none. */
  readonly call: number;
  readonly citations: unknown[];
  /** What came of the input's JSON. */
  input: string;
  signature: string;
  closed: boolean;
}

export class ContentDecoder {
  private readonly blocks = new Map<number, OpenBlock>();
  private calls = 0;
  /** Characters of text so far. */
  private said = 0;

  /** @throws TypeError for a block of the wrong shape, as the other methods do */
  start(place: unknown, wire: unknown, events: StreamResponse[]): void {
    const index = integer(place);
    if (!isObject(wire)) throw new TypeError("a block is not an object");
    // Sent twice, it is still one block.
    if (this.blocks.has(index)) return;
    const { type: said, ...fields }: WireBlock = wire;
    const type = textOf(said);
    const block: OpenBlock = {
      type,
      wire: { ...wire },
      at: this.said,
      call: type === "tool_use" ? this.calls++ : -1,
      citations: Array.isArray(fields.citations) ? [...fields.citations] : [],
      input: "",
      signature: type === "thinking" ? textOf(fields.signature) : "",
      closed: false,
    };
    this.blocks.set(index, block);
    if (type === "text") this.say(textOf(fields.text), events);
    else if (type === "thinking") think(textOf(fields.thinking), events);
    else if (type === "redacted_thinking")
      events.push(event({ reasoning: reasoning({ redacted: textOf(fields.data) }) }));
    else if (type === "tool_use") {
      const call = { id: textOf(fields.id), name: textOf(fields.name) };
      events.push(event({ toolCall: toolCallDelta(block.call, call) }));
    }
  }

  delta(index: unknown, wire: unknown, events: StreamResponse[]): void {
    const block = this.blocks.get(integer(index));
    if (!block) throw new TypeError("a piece of a block that did not begin");
    if (!isObject(wire)) throw new TypeError("a piece of a block is not an object");
    const delta: WireDelta = wire;
    switch (delta.type) {
      case "text_delta":
        this.say(textOf(delta.text), events);
        return;
      case "thinking_delta":
        think(textOf(delta.thinking), events);
        return;
      case "signature_delta":
        block.signature += textOf(delta.signature);
        return;
      case "citations_delta":
        block.citations.push(delta.citation);
        return;
      case "input_json_delta": {
        const json = textOf(delta.partial_json);
        block.input += json;
        if (json && block.call >= 0)
          events.push(event({ toolCall: toolCallDelta(block.call, { arguments: json }) }));
        return;
      }
      default:
        grow(block.wire, wire);
    }
  }

  stop(index: unknown, events: StreamResponse[]): void {
    const block = this.blocks.get(integer(index));
    if (!block || block.closed) return;
    block.closed = true;
    switch (block.type) {
      case "text":
        for (const citation of block.citations) this.cite(citation, block.at, events);
        return;
      case "thinking":
        if (block.signature) events.push(event({ reasoning: reasoning({ signature: block.signature }) }));
        return;
      case "redacted_thinking":
        return;
      case "tool_use":
        // Without arguments the only piece of them is empty.
        if (!block.input)
          events.push(
            event({
              toolCall: toolCallDelta(block.call, { arguments: JSON.stringify(block.wire.input ?? {}) }),
            }),
          );
        return;
      default:
        handOn(block, events);
    }
  }

  /** The message is complete. A block that has no end was cut off: a call in it stays as it is. */
  end(events: StreamResponse[]): void {
    for (const [index, { type }] of this.blocks) {
      if (type === "text" || type === "thinking") this.stop(index, events);
    }
  }

  private say(token: string, events: StreamResponse[]): void {
    if (!token) return;
    this.said += token.length;
    events.push(event({ token }));
  }

  /** It comes before the text that it is about, and is told behind it. */
  private cite(wire: unknown, at: number, events: StreamResponse[]): void {
    if (!isObject(wire)) throw new TypeError("a citation is not an object");
    const { cited_text, title, url, document_title, source }: { [Field in CitationField]?: unknown } = wire;
    events.push(
      event({
        citation: {
          $typeName: "llmgateway.v1.Citation",
          title: textOf(title ?? document_title),
          url: textOf(url ?? source),
          quote: textOf(cited_text),
          startIndex: at,
          endIndex: this.said,
          providerJson: JSON.stringify(wire),
        },
      }),
    );
  }
}

type KeysOf<T> = T extends unknown ? keyof T : never;
type CitationField = KeysOf<TextCitation>;

function think(text: string, events: StreamResponse[]): void {
  if (text) events.push(event({ reasoning: reasoning({ text }) }));
}

/** Pieces of a block that only Anthropic understands: texts grow, all else is replaced. */
function grow(block: Record<string, unknown>, delta: object): void {
  for (const [key, piece] of Object.entries(delta)) {
    if (key === "type") continue;
    const known = block[key];
    block[key] = typeof known === "string" && typeof piece === "string" ? known + piece : piece;
  }
}

/** A block for Anthropic alone, such as a search that it made; one whose input was cut off cannot be sent back. */
function handOn({ type, wire, input }: OpenBlock, events: StreamResponse[]): void {
  if (input && !isJsonObject(input)) return;
  const { input: sent, ...rest } = wire;
  const text = input || (sent === undefined ? "" : JSON.stringify(sent));
  const json = stringifyWith(rest, text ? { input: text } : {});
  events.push(
    event({ providerPart: { $typeName: "llmgateway.v1.ProviderPart", provider: CLAUDE, type, json } }),
  );
}
