/** What the form says about the next call. Whether the gateway accepts it, the gateway says. */
import { create, fromJson, type JsonValue } from "@bufbuild/protobuf";
import { type ChatRequest, ChatRequestSchema } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import {
  type Message,
  ParametersSchema,
  type Tool,
  ToolSchema,
} from "../../gen/ts/llmgateway/v1/message_pb.ts";
import { find } from "./dom.ts";

export class Settings {
  private readonly form = find("settings", HTMLFormElement);
  private readonly toggle = find("settings-toggle", HTMLButtonElement);
  private readonly systemField = find("system", HTMLTextAreaElement);
  private readonly tools = find("tools", HTMLTextAreaElement);

  constructor() {
    this.toggle.addEventListener("click", () => this.unfold(!this.form.classList.contains("open")));
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.form.addEventListener("input", ({ target }) => {
      if (target instanceof HTMLTextAreaElement) target.setCustomValidity("");
    });
  }

  get system(): string {
    return this.systemField.value;
  }

  /** Nothing when a field cannot be read; the reader is then led to it. */
  request(model: string, messages: Message[]): ChatRequest | undefined {
    const tools = this.readTools();
    const fields = [...this.form.querySelectorAll("input")];
    const wrong = tools ? fields.find(({ validity }) => validity.badInput) : this.tools;
    if (wrong) this.lead(wrong);
    if (!tools || wrong) return undefined;
    const request = create(ChatRequestSchema, { model, messages, tools });
    request.parameters = create(ParametersSchema);
    request.parameters.maxTokens = numberIn("max-tokens");
    request.parameters.temperature = numberIn("temperature");
    request.maxCostUsd = numberIn("max-cost");
    request.timeoutMs = numberIn("timeout");
    return request;
  }

  private readTools(): Tool[] | undefined {
    const text = this.tools.value.trim();
    try {
      const json: JsonValue = text ? JSON.parse(text) : [];
      if (!Array.isArray(json)) throw new Error("it must be a list: [ … ]");
      return json.map((tool) => fromJson(ToolSchema, tool));
    } catch (error) {
      this.tools.setCustomValidity(error instanceof Error ? error.message : String(error));
      return undefined;
    }
  }

  /** On a narrow screen; on a wide one the form is always there. */
  private unfold(isOpen: boolean): void {
    this.form.classList.toggle("open", isOpen);
    this.toggle.ariaExpanded = String(isOpen);
  }

  private lead(field: HTMLInputElement | HTMLTextAreaElement): void {
    this.unfold(true);
    const folded = field.closest("details");
    if (folded) folded.open = true;
    field.reportValidity();
  }
}

function numberIn(id: string): number | undefined {
  const { value, valueAsNumber } = find(id, HTMLInputElement);
  return value === "" ? undefined : valueAsNumber;
}
