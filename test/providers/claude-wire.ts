/** Requests to Claude in few words, and what becomes of them on the wire. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { ChatRequestSchema } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { encodeChat } from "../../src/providers/claude/encode.ts";
import { ANTHROPIC } from "../../src/providers/claude/traits.ts";
import type { Wish } from "../../src/providers/dialect.ts";
import { violatedBy } from "../support/failure.ts";

export type Init = Exclude<MessageInitShape<typeof ChatRequestSchema>, { readonly $typeName: string }>;
export type PartInit = NonNullable<
  NonNullable<NonNullable<Init["messages"]>[number]["parts"]>[number]["part"]
>;

export const NEW = "claude-sonnet-5";
/** Thinks by a budget and takes sampling parameters. */
export const OLD = "claude-haiku-4-5-20251001";
export const hello = [{ role: "user", content: "Hello" }];

export function wire(request: Init, wish: Partial<Wish> = {}, traits = ANTHROPIC) {
  const full = create(ChatRequestSchema, { messages: hello, ...request });
  return encodeChat(full, { model: NEW, stream: false, maxTokens: undefined, ...wish }, traits);
}

export function encode(request: Init, wish: Partial<Wish> = {}) {
  return JSON.parse(wire(request, wish).body);
}

/** The fields by which it is refused. */
export function refusedFor(request: Init, wish: Partial<Wish> = {}): string[] {
  return violatedBy(() => wire(request, wish));
}

export function message(role: string, ...parts: PartInit[]): NonNullable<Init["messages"]>[number] {
  return { role, parts: parts.map((part) => ({ part })) };
}

/** What comes of this message behind a greeting. */
export function assistant(...parts: PartInit[]): unknown {
  return encode({ messages: [...hello, message("assistant", ...parts)] }).messages[1]?.content;
}

export const text = (value: string) => ({ case: "text", value }) as const;
export const image = (source: object, more: object = {}) =>
  ({ case: "image", value: { source, ...more } }) as PartInit;
export const file = (source: object, more: object = {}) =>
  ({ case: "file", value: { source, ...more } }) as PartInit;
export const call = (value: object) => ({ case: "toolCall", value }) as PartInit;
export const result = (value: object) => ({ case: "toolResult", value }) as PartInit;
export const thought = (value: object) => ({ case: "reasoning", value }) as PartInit;
export const piece = (json: string, provider = "claude") =>
  ({ case: "providerPart", value: { provider, type: "x", json } }) as const;
