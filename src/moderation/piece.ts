/** The texts in a stream's events: which event carries what of which text, and the same events with another. */
import type { StreamResponse } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { event, reasoning, toolCallDelta } from "../core/reply.ts";
import type { TextKind } from "./hook.ts";

export interface Piece {
  /** The text that it belongs to, of those of its choice. */
  readonly key: string;
  readonly kind: TextKind;
  readonly text: string;
}

/** @param isStructured whether what is said is to be JSON */
export function pieceOf(
  { token, refusal, reasoning: thought, toolCall }: StreamResponse,
  isStructured: boolean,
): Piece | undefined {
  if (token !== undefined) return { key: "token", kind: isStructured ? "structured" : "text", text: token };
  if (refusal !== undefined) return { key: "refusal", kind: "text", text: refusal };
  if (thought) return { key: "reasoning", kind: "reasoning", text: thought.text };
  if (toolCall?.arguments !== undefined)
    return { key: `arguments ${toolCall.index}`, kind: "json", text: toolCall.arguments };
  if (toolCall?.input !== undefined)
    return { key: `input ${toolCall.index}`, kind: "tool", text: toolCall.input };
  return undefined;
}

/** The same event, with another text in its piece. */
export function withText(whole: StreamResponse, { key }: Piece, text: string): StreamResponse {
  switch (key) {
    case "token":
      return { ...whole, token: text };
    case "refusal":
      return { ...whole, refusal: text };
    case "reasoning":
      return { ...whole, ...(whole.reasoning && { reasoning: { ...whole.reasoning, text } }) };
    default: {
      const { toolCall } = whole;
      if (!toolCall) return whole;
      const changed = key.startsWith("arguments") ? { arguments: text } : { input: text };
      return { ...whole, toolCall: { ...toolCall, ...changed } };
    }
  }
}

/** What the event carries beside its piece; undefined for nothing. */
export function withoutText(whole: StreamResponse, { key }: Piece): StreamResponse | undefined {
  const { toolCall, reasoning: thought } = whole;
  if (key === "reasoning")
    return thought?.signature || thought?.redacted ? withText(whole, { key } as Piece, "") : undefined;
  if (!toolCall) return undefined;
  const { index, id, name, signature } = toolCall;
  if (id === undefined && name === undefined && signature === undefined) return undefined;
  return {
    ...whole,
    toolCall: toolCallDelta(index, {
      ...(id === undefined ? {} : { id }),
      ...(name === undefined ? {} : { name }),
      ...(signature === undefined ? {} : { signature }),
    }),
  };
}

/** An event with nothing but a piece, which costs what was told last. */
export function textEvent({ key }: Piece, text: string, like: StreamResponse): StreamResponse {
  const { costUsd, costPicoUsd, index } = like;
  const bare = {
    ...(costUsd === undefined ? {} : { costUsd }),
    ...(costPicoUsd === undefined ? {} : { costPicoUsd }),
    ...(index === undefined ? {} : { index }),
  };
  switch (key) {
    case "token":
      return event({ ...bare, token: text });
    case "refusal":
      return event({ ...bare, refusal: text });
    case "reasoning":
      return event({ ...bare, reasoning: reasoning({ text }) });
    default: {
      const [what, number] = key.split(" ");
      const fields = what === "arguments" ? { arguments: text } : { input: text };
      return event({ ...bare, toolCall: toolCallDelta(Number(number), fields) });
    }
  }
}

/** The event without the provider's seal on its thoughts, which is of another text. */
export function unsealed(whole: StreamResponse): StreamResponse {
  const { reasoning: thought } = whole;
  return thought?.signature ? { ...whole, reasoning: { ...thought, signature: "" } } : whole;
}
