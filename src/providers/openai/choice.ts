/**
 * What a model said, out of the deltas of a stream or the message of a whole
 * reply: both have the same fields. It keeps what must be known across deltas.
 */
import type { ChatCompletionChunk } from "openai/resources/chat/completions";
import type { StreamResponse } from "../../../gen/ts/llmgateway/v1/chat_pb.ts";
import { event, reasoning, toolCallDelta } from "../../core/reply.ts";
import { isJsonObject } from "../raw_json.ts";
import { integer, textOf } from "../values.ts";
import { citationOf } from "./citation.ts";
import { decodeFinishReason } from "./finish.ts";

/** A delta may lack any field, and compatible providers add their own. */
export type Delta = Omit<ChatCompletionChunk.Choice.Delta, "tool_calls" | "role" | "content"> & {
  readonly content?: unknown;
  readonly tool_calls?: readonly ToolCallPiece[] | null;
  /** The thoughts of DeepSeek and vLLM. */
  readonly reasoning_content?: string | null;
  /** The thoughts of OpenRouter. */
  readonly reasoning?: unknown;
  /** Sources of models that search, which come behind the text. */
  readonly annotations?: unknown;
};

/** Gemini's compatible endpoint leaves `index` out. */
export type ToolCallPiece = Partial<ChatCompletionChunk.Choice.Delta.ToolCall>;

/** A tool call of which more may come, and what of it was said already, and is not said again. */
interface KnownCall {
  /** Among the calls of the answer. */
  readonly place: number;
  id: string | undefined;
  named: boolean;
  /** The arguments, while all that is known of the call came in one piece. */
  whole: string;
}

/** A dialect that says more than OpenAI reads its choices by a class of its own. */
export type ChoiceClass = new (index: number) => ChoiceDecoder;

export class ChoiceDecoder {
  readonly index: number;
  /** Undefined until the model stopped. */
  finishReason: string | undefined;
  /** The sources that were told, as they came. */
  private readonly sources = new Set<string>();
  /** By the provider's index, the latest that bears it. */
  private readonly calls = new Map<number, KnownCall>();
  private readonly places = new Set<number>();

  constructor(index: number) {
    this.index = index;
  }

  /** Whether its sources were told. */
  get cited(): boolean {
    return this.sources.size > 0;
  }

  /**
   * Adds what the delta brings; nothing for a role or an empty text.
   *
   * @throws TypeError for a delta of the wrong shape
   */
  read(delta: Delta, finishReason: unknown, events: StreamResponse[]): void {
    const thought = textOf(delta.reasoning_content) || thoughtOf(delta.reasoning);
    if (thought) this.add(event({ reasoning: reasoning({ text: thought }) }), events);
    this.readContent(delta.content, events);
    const refusal = textOf(delta.refusal);
    if (refusal) this.add(event({ refusal }), events);
    if (Array.isArray(delta.annotations)) this.cite(delta.annotations, events);
    if (delta.tool_calls) for (const piece of delta.tool_calls) this.readToolCall(piece, events);
    // The one call of the old API has no id, which an empty one says.
    if (delta.function_call) this.readToolCall({ index: 0, id: "", function: delta.function_call }, events);
    const reason = textOf(finishReason);
    if (reason) this.finishReason = decodeFinishReason(reason, this.calls.size > 0);
  }

  /** Text, in OpenAI's own format. */
  protected readContent(content: unknown, events: StreamResponse[]): void {
    const token = textOf(content);
    if (token) this.add(event({ token }), events);
  }

  /** OpenRouter says a source again in each chunk that is about it. */
  private cite(annotations: readonly unknown[], events: StreamResponse[]): void {
    for (const annotation of annotations) {
      const citation = citationOf(annotation);
      if (!citation || this.sources.has(citation.providerJson)) continue;
      this.sources.add(citation.providerJson);
      this.add(event({ citation }), events);
    }
  }

  private readToolCall(piece: ToolCallPiece, events: StreamResponse[]): void {
    const name = textOf(piece.function?.name ?? piece.custom?.name);
    const args = textOf(piece.function?.arguments);
    const input = textOf(piece.custom?.input);
    const known = this.callOf(piece, name);
    const delta = toolCallDelta(known.place, {});
    const identifies = known.id === undefined && typeof piece.id === "string";
    const names = !known.named && name !== "";
    if (identifies) delta.id = known.id = textOf(piece.id);
    if (names) delta.name = name;
    if (args) delta.arguments = args;
    if (input) delta.input = input;
    known.named ||= names;
    if (args) known.whole = identifies && names ? args : "";
    if (identifies || names || args || input) this.add(event({ toolCall: delta }), events);
  }

  /**
   * An index is one call's, but for Ollama, which gives 0 to all, each whole in one piece:
   * https://github.com/ollama/ollama/issues/15457
   */
  private callOf(piece: ToolCallPiece, name: string): KnownCall {
    const index = integer(piece.index ?? this.nextCall(piece));
    const known = this.calls.get(index);
    const isOther = name !== "" && known?.id && piece.id && piece.id !== known.id;
    if (known && !(isOther && isJsonObject(known.whole))) return known;
    const place = this.places.has(index) ? Math.max(...this.places) + 1 : index;
    const call: KnownCall = { place, id: undefined, named: false, whole: "" };
    this.places.add(place);
    this.calls.set(index, call);
    return call;
  }

  /** For a piece without an index: an id begins a call, and what has none goes on with the last. */
  private nextCall(piece: ToolCallPiece): number {
    return piece.id ? this.calls.size : Math.max(0, this.calls.size - 1);
  }

  protected add(said: StreamResponse, events: StreamResponse[]): void {
    if (this.index > 0) said.index = this.index;
    events.push(said);
  }
}

/** No part of OpenAI's format, so whatever else it may hold is nothing to fail for. */
function thoughtOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
