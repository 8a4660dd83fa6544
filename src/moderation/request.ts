/** The texts of a request that moderation looks at, and the request with others in their place. */
import type { ChatRequest } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { EmbedRequest } from "../../gen/ts/llmgateway/v1/embed_pb.ts";
import type { Message, Part } from "../../gen/ts/llmgateway/v1/message_pb.ts";
import type { ModelRequest } from "../core/call.ts";
import type { Text } from "./examine.ts";
import type { TextKind } from "./hook.ts";

export function textsOf(request: ModelRequest): Text[] {
  const texts: Text[] = [];
  mapped(request, (text, kind) => {
    texts.push({ text, kind });
    return text;
  });
  return texts;
}

/** @param texts as many as it has, in the same order */
export function withTexts(request: ModelRequest, texts: readonly string[]): ModelRequest {
  let next = 0;
  return mapped(request, (text) => texts[next++] ?? text);
}

type Map = (text: string, kind: TextKind) => string;

function mapped(request: ModelRequest, map: Map): ModelRequest {
  return request.$typeName === "llmgateway.v1.ChatRequest" ? chat(request, map) : embed(request, map);
}

function embed(request: EmbedRequest, map: Map): EmbedRequest {
  return { ...request, input: request.input.map((text) => map(text, "text")) };
}

function chat(request: ChatRequest, map: Map): ChatRequest {
  return { ...request, messages: request.messages.map((message) => said(message, map)) };
}

function said(message: Message, map: Map): Message {
  // What a tool answered may stand there too.
  const kind = message.role === "tool" ? "tool" : "text";
  const content = message.content === "" ? "" : map(message.content, kind);
  const parts = message.parts.map((one): Part => ({ ...one, part: piece(one.part, map) }));
  return { ...message, content, parts };
}

function piece(part: Part["part"], map: Map): Part["part"] {
  switch (part.case) {
    case "text":
    case "refusal":
      return { ...part, value: map(part.value, "text") };
    case "reasoning":
      return { ...part, value: { ...part.value, text: map(part.value.text, "reasoning") } };
    case "toolResult":
      return { ...part, value: { ...part.value, content: map(part.value.content, "tool") } };
    case "toolCall": {
      const { value } = part;
      return {
        ...part,
        value: { ...value, arguments: map(value.arguments, "json"), input: map(value.input, "tool") },
      };
    }
    default:
      return part;
  }
}
