/** Shows an answer as it comes: thoughts, words, refusals, calls of tools. Whatever it says stays text. */
import { create } from "@bufbuild/protobuf";
import { type Message, MessageSchema, ToolResultSchema } from "../../gen/ts/llmgateway/v1/message_pb.ts";
import type { StreamResponse, ToolCall } from "../typescript/src/browser.ts";
import { button, make } from "./dom.ts";
import { Draft } from "./draft.ts";

/** Why an answer ended that did not simply end. */
const ENDINGS: Readonly<Record<string, string>> = {
  length: "It ends here because it reached the most tokens that it may have.",
  content_filter: "It ends here because the provider’s filter stopped it.",
  budget_exceeded: "It ends here because it reached what it may cost.",
};

export class AnswerView {
  readonly element = make("div", "answer");
  readonly draft = new Draft();
  private readonly text = new Text();
  private readonly said = make("div", "said", this.text);
  private readonly thoughts = new Text();
  private readonly thinking = make(
    "details",
    "thoughts",
    make("summary", "", "Thoughts"),
    make("p", "", this.thoughts),
  );
  private readonly calls = new Map<number, CallView>();

  constructor() {
    this.thinking.hidden = true;
    this.said.ariaLive = "polite";
    this.said.ariaBusy = "true";
    this.element.append(this.thinking, this.said);
  }

  add(event: StreamResponse): void {
    this.draft.add(event);
    const { token = "", refusal = "", reasoning, toolCall } = event;
    // Appended, not set anew: a long answer would else be laid out once more for each word.
    if (token || refusal) this.text.appendData(token + refusal);
    if (reasoning) {
      this.thinking.hidden = false;
      this.thoughts.appendData(reasoning.text || (reasoning.redacted && "(not readable)"));
    }
    const call = toolCall && this.draft.calls.get(toolCall.index);
    if (!call) return;
    const view = this.calls.get(toolCall.index) ?? new CallView();
    this.calls.set(toolCall.index, view);
    view.show(call);
    this.element.append(view.element);
  }

  /** @param finishReason empty when the answer did not come to its end */
  end(finishReason: string): void {
    this.said.ariaBusy = "false";
    const ending = ENDINGS[finishReason];
    if (ending) this.element.append(make("p", "note", ending));
  }

  /** Lets the reader play the tools. `send` gets a message for each call. */
  askForResults(send: (results: readonly Message[]) => void): void {
    const calls = [...this.calls.values()];
    for (const call of calls) call.ask();
    this.element.append(button("Send results", "", () => send(calls.map((call) => call.result()))));
  }
}

/** A call of a tool, and its result once there is one. */
class CallView {
  readonly element = make("div", "call");
  private id = "";
  private readonly name = make("strong", "");
  private readonly input = make("pre", "");
  private readonly field = make("textarea", "code");

  constructor() {
    this.element.append(make("p", "", "Calls ", this.name), this.input);
  }

  result(): Message {
    const value = create(ToolResultSchema, { toolCallId: this.id, content: this.field.value });
    return create(MessageSchema, { role: "tool", parts: [{ part: { case: "toolResult", value } }] });
  }

  show({ id, name, arguments: args, input }: ToolCall): void {
    this.id = id;
    this.name.textContent = name;
    this.input.textContent = args || input;
  }

  ask(): void {
    this.field.rows = 2;
    this.element.append(make("label", "result-label", `Result of ${this.name.textContent}`, this.field));
  }
}
