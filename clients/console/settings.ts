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
  private readonly systemField = find("system", HTMLTextAreaElement);
  private readonly tools = find("tools", HTMLTextAreaElement);

  constructor() {
    const toggle = find("settings-toggle", HTMLButtonElement);
    toggle.addEventListener("click", () => {
      const isOpen = this.form.classList.toggle("open");
      toggle.ariaExpanded = String(isOpen);
    });
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
    if (!tools || wrong) {
      if (wrong) this.lead(wrong);
      return undefined;
    }
    const request = create(ChatRequestSchema, { model, messages, tools });
    request.parameters = create(ParametersSchema);
    request.parameters.maxTokens = numberIn("max-tokens");
    request.parameters.temperature = numberIn("temperature");
    request.maxCostUsd = numberIn("max-cost");
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

  private lead(field: HTMLInputElement | HTMLTextAreaElement): void {
    this.form.classList.add("open");
    const folded = field.closest("details");
    if (folded) folded.open = true;
    field.reportValidity();
  }
}

function numberIn(id: string): number | undefined {
  const { value, valueAsNumber } = find(id, HTMLInputElement);
  return value === "" ? undefined : valueAsNumber;
}
