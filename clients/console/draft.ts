/** The answer while it grows, and as the message that goes back with the next question. It shows nothing. */
import { create } from "@bufbuild/protobuf";
import type { StreamResponse } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import {
  type Message,
  MessageSchema,
  type Part,
  PartSchema,
  type Reasoning,
  ReasoningSchema,
  type ToolCall,
  ToolCallSchema,
} from "../../gen/ts/llmgateway/v1/message_pb.ts";

export class Draft {
  text = "";
  refusal = "";
  thoughts: Reasoning | undefined;
  /** By the index of their deltas. */
  readonly calls = new Map<number, ToolCall>();

  add({ token = "", refusal = "", reasoning, toolCall }: StreamResponse): void {
    this.text += token;
    this.refusal += refusal;
    if (reasoning) {
      this.thoughts ??= create(ReasoningSchema);
      this.thoughts.text += reasoning.text;
      this.thoughts.redacted += reasoning.redacted;
      if (reasoning.signature) this.thoughts.signature = reasoning.signature;
    }
    if (!toolCall) return;
    const call = this.calls.get(toolCall.index) ?? create(ToolCallSchema);
    this.calls.set(toolCall.index, call);
    if (toolCall.id) call.id = toolCall.id;
    if (toolCall.name) call.name = toolCall.name;
    call.arguments += toolCall.arguments ?? "";
    call.input += toolCall.input ?? "";
  }

  /** Nothing when nothing was said. */
  message(): Message | undefined {
    const parts: Part["part"][] = [];
    if (this.thoughts) parts.push({ case: "reasoning", value: this.thoughts });
    if (this.refusal) parts.push({ case: "refusal", value: this.refusal });
    for (const value of this.calls.values()) parts.push({ case: "toolCall", value });
    if (!this.text && !this.refusal && this.calls.size === 0) return undefined;
    return create(MessageSchema, {
      role: "assistant",
      content: this.text,
      parts: parts.map((part) => create(PartSchema, { part })),
    });
  }
}
