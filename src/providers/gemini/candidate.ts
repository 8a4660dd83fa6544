/**
 * What a model said, out of the parts of a candidate, whether they come in one
 * reply or in the elements of a stream. It keeps what must be known across them.
 */
import type { StreamResponse } from "../../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { Citation } from "../../../gen/ts/llmgateway/v1/message_pb.ts";
import { event, reasoning, toolCallDelta } from "../../core/reply.ts";
import { textOf } from "../values.ts";
import type { Candidate, Part } from "./api.ts";
import { citationsOf, groundingOf } from "./citations.ts";
import { decodeFinishReason, finishName } from "./finish.ts";

/** The name under which pieces that only Google understands travel, on Vertex AI too: it is one format. */
export const PROVIDER = "gemini";

export class CandidateDecoder {
  readonly index: number;
  /** The provider's own name for why the model stopped; empty until it has. */
  stopped = "";
  finishMessage = "";
  private readonly nextCallId: () => string;
  private calls = 0;
  private text = "";
  /** What each element of a stream may tell anew, by its name. */
  private readonly beside = new Map<string, object>();
  private sources: Citation[] = [];

  constructor(index: number, nextCallId: () => string) {
    this.index = index;
    this.nextCallId = nextCallId;
  }

  get finishReason(): string {
    return decodeFinishReason(this.stopped, this.calls > 0);
  }

  /** @throws TypeError for a candidate of the wrong shape */
  read(candidate: Candidate, events: StreamResponse[]): void {
    const { content, groundingMetadata, urlContextMetadata } = candidate;
    if (content?.parts) for (const part of content.parts as readonly Part[]) this.readPart(part, events);
    if (candidate.citationMetadata) {
      for (const citation of citationsOf(candidate.citationMetadata, this.text)) {
        this.add(event({ citation }), events);
      }
    }
    if (groundingMetadata) {
      this.sources = groundingOf(groundingMetadata, this.text);
      this.beside.set("groundingMetadata", groundingMetadata);
    }
    if (urlContextMetadata) this.beside.set("urlContextMetadata", urlContextMetadata);
    this.stopped = finishName(candidate.finishReason) || this.stopped;
    this.finishMessage = textOf(candidate.finishMessage) || this.finishMessage;
  }

  /** Where the text comes from, behind all of it. */
  finish(events: StreamResponse[]): void {
    for (const citation of this.sources) this.add(event({ citation }), events);
    for (const [type, value] of this.beside) this.addPart(type, value, events);
  }

  private readPart(part: Part, events: StreamResponse[]): void {
    const { text, thought, thoughtSignature, functionCall } = part;
    const signature = textOf(thoughtSignature);
    if (functionCall) this.readCall(functionCall, signature, events);
    else if (text === undefined && payloadOf(part)) this.addPart(payloadOf(part), part, events);
    else if (thought === true) {
      const piece = reasoning({ text: textOf(text), signature });
      if (piece.text || signature) this.add(event({ reasoning: piece }), events);
    } else {
      const token = textOf(text);
      this.text += token;
      if (token) this.add(event({ token }), events);
      // It signs the text that it stands with, or the one before where it stands alone.
      if (signature) this.add(event({ reasoning: reasoning({ signature }) }), events);
    }
  }

  private readCall(
    call: NonNullable<Part["functionCall"]>,
    signature: string,
    events: StreamResponse[],
  ): void {
    if (call.partialArgs || call.willContinue) throw new TypeError("arguments in pieces were not asked for");
    const delta = toolCallDelta(this.calls++, {
      id: textOf(call.id) || this.nextCallId(),
      name: textOf(call.name),
      arguments: JSON.stringify(call.args ?? {}),
    });
    if (signature) delta.signature = signature;
    this.add(event({ toolCall: delta }), events);
  }

  private addPart(type: string, value: object, events: StreamResponse[]): void {
    const json = JSON.stringify(value);
    const providerPart = { $typeName: "llmgateway.v1.ProviderPart", provider: PROVIDER, type, json } as const;
    this.add(event({ providerPart }), events);
  }

  private add(said: StreamResponse, events: StreamResponse[]): void {
    if (this.index > 0) said.index = this.index;
    events.push(said);
  }
}

/** Fields of a part that say something about its payload. */
const ABOUT: ReadonlySet<string> = new Set(["thought", "thoughtSignature", "partMetadata", "videoMetadata"]);

/** The name of what a part carries; empty for nothing. */
function payloadOf(part: Part): string {
  for (const name in part) if (!ABOUT.has(name)) return name;
  return "";
}
