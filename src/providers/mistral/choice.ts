/** What a model of Mistral's said: text, or a list of chunks, and now the one, now the other in one stream. */
import type { StreamResponse } from "../../../gen/ts/llmgateway/v1/chat_pb.ts";
import { event, reasoning } from "../../core/reply.ts";
import { isObject } from "../malformed.ts";
import { ChoiceDecoder } from "../openai/choice.ts";
import { textOf } from "../values.ts";

/** The name under which pieces that only Mistral understands travel. */
export const MISTRAL = "mistral";

interface Chunk {
  readonly type?: unknown;
  readonly text?: unknown;
  /** A list of chunks again: texts, and where the thoughts come from. */
  readonly thinking?: unknown;
  readonly signature?: unknown;
}

export class MistralChoice extends ChoiceDecoder {
  protected override readContent(content: unknown, events: StreamResponse[]): void {
    if (Array.isArray(content)) for (const chunk of content) this.readChunk(chunkOf(chunk), events);
    else super.readContent(content, events);
  }

  private readChunk(chunk: Chunk, events: StreamResponse[]): void {
    switch (chunk.type) {
      case "text":
        super.readContent(chunk.text, events);
        break;
      case "thinking":
        this.readThoughts(chunk, events);
        break;
      case "reference":
        // Its numbers are those of the caller's own sources.
        this.add(event({ citation: citationOf(chunk) }), events);
        break;
      default:
        this.addPart(chunk, events);
    }
  }

  private readThoughts({ thinking, signature }: Chunk, events: StreamResponse[]): void {
    for (const inner of Array.isArray(thinking) ? thinking : [{ type: "text", text: thinking }]) {
      const chunk = chunkOf(inner);
      const text = chunk.type === "text" ? textOf(chunk.text) : "";
      if (text) this.add(event({ reasoning: reasoning({ text }) }), events);
      else if (chunk.type !== "text") this.addPart({ type: "thinking", thinking: [chunk] }, events);
    }
    const seal = textOf(signature);
    if (seal) this.add(event({ reasoning: reasoning({ signature: seal }) }), events);
  }

  private addPart(chunk: Chunk, events: StreamResponse[]): void {
    const type = textOf(chunk.type);
    const json = JSON.stringify(chunk);
    this.add(
      event({ providerPart: { $typeName: "llmgateway.v1.ProviderPart", provider: MISTRAL, type, json } }),
      events,
    );
  }
}

function chunkOf(value: unknown): Chunk {
  if (!isObject(value)) throw new TypeError("a chunk of content is not an object");
  return value;
}

function citationOf(chunk: Chunk): NonNullable<StreamResponse["citation"]> {
  return {
    $typeName: "llmgateway.v1.Citation",
    title: "",
    url: "",
    quote: "",
    providerJson: JSON.stringify(chunk),
  };
}
