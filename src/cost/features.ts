/** What a request has in it that makes tokens, in one pass over it. It knows no model. */
import type { ChatRequest } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { Media, Message, Part } from "../../gen/ts/llmgateway/v1/message_pb.ts";
import type { ModelRequest } from "../core/call.ts";
import { mediaTypeOf } from "../core/media-type.ts";
import { addText, noText, type TextShape } from "./text.ts";

export interface Features {
  readonly chat: boolean;
  /** What is said, by whomever. */
  readonly text: TextShape;
  /** Or texts, where vectors are made of them. */
  readonly messages: number;
  /** Calls made earlier, and their results. */
  readonly calls: number;
  /** Sealed thoughts and seals, as characters of base64. */
  readonly sealedChars: number;
  readonly tools: number;
  readonly toolText: TextShape;
  /** Whether the model must call one. */
  readonly toolForced: boolean;
  /** Undefined where the answer has no schema. */
  readonly schemaText: TextShape | undefined;
  readonly thinking: boolean;
  readonly images: readonly Media[];
  /** Of those files that are given, as they are given; text apart, which is in `text`. */
  readonly fileBytes: number;
  /** Files that the provider fetches. */
  readonly remoteFiles: number;
  /** Whether one of those may be sound, which is dearer than text. */
  readonly sound: boolean;
  /**
   * How often the provider may read what no one here knows the size of, such as pages that it searches: 0 when it
   * reads the request alone.
   */
  readonly openRounds: number;
}

/** @param onText given each text that is said, where they are to be counted */
export function featuresOf(request: ModelRequest, onText?: (text: string) => void): Features {
  const found = new Finding(onText);
  if (request.$typeName === "llmgateway.v1.EmbedRequest") {
    for (const text of request.input) found.say(text);
    found.messages = request.input.length;
    found.chat = false;
  } else found.addChat(request);
  found.openRounds = roundsOf(request);
  return found;
}

/** Whether there is nothing but text in it, so that its size can be known. */
export function isText({ images, fileBytes, remoteFiles, openRounds }: Features): boolean {
  return images.length + fileBytes + remoteFiles + openRounds === 0;
}

/**
 * What kind of request it is, for whoever learns from earlier ones: how a model is told of tools says nothing of
 * plain texts, and an answer that is thought over, or is a call, is of another length. It has nothing of its texts.
 */
export function kindOf({ tools, schemaText, thinking }: Features): string {
  return `${tools > 0 ? "tools " : ""}${schemaText ? "schema " : ""}${thinking ? "thinking " : ""}`;
}

/** Calls that the provider answers itself go round at most so often before it hands over: Anthropic's default. */
const SERVER_TOOL_ROUNDS = 10;
// Only what is known to make providers read more. https://platform.claude.com/docs/en/agents-and-tools/tool-use/server-tools
const READS_MORE: Readonly<Record<string, number>> = {
  tools: SERVER_TOOL_ROUNDS,
  toolConfig: SERVER_TOOL_ROUNDS,
  mcp_servers: SERVER_TOOL_ROUNDS,
  web_search_options: SERVER_TOOL_ROUNDS,
  search_parameters: SERVER_TOOL_ROUNDS,
  plugins: SERVER_TOOL_ROUNDS,
  cachedContent: 1,
  cached_content: 1,
};

function roundsOf({ extraBody }: ModelRequest): number {
  let rounds = 0;
  if (extraBody) for (const key of Object.keys(extraBody)) rounds = Math.max(rounds, READS_MORE[key] ?? 0);
  return rounds;
}

class Finding implements Features {
  chat = true;
  readonly text = noText();
  messages = 0;
  calls = 0;
  sealedChars = 0;
  tools = 0;
  readonly toolText = noText();
  toolForced = false;
  schemaText: TextShape | undefined;
  thinking = false;
  readonly images: Media[] = [];
  fileBytes = 0;
  remoteFiles = 0;
  sound = false;
  openRounds = 0;
  private readonly onText: ((text: string) => void) | undefined;

  constructor(onText: ((text: string) => void) | undefined) {
    this.onText = onText;
  }

  say(text: string): void {
    addText(this.text, text);
    this.onText?.(text);
  }

  addChat({ messages, tools, toolChoice, responseFormat, parameters }: ChatRequest): void {
    this.messages = messages.length;
    for (const message of messages) this.addMessage(message);
    this.tools = tools.length;
    for (const { name, description, parameters, parametersJson, freeText } of tools) {
      addText(this.toolText, name);
      addText(this.toolText, description);
      addText(this.toolText, parameters ? JSON.stringify(parameters) : parametersJson);
      if (freeText) addText(this.toolText, freeText.definition);
    }
    this.toolForced = toolChoice !== "" && toolChoice !== "auto" && toolChoice !== "none";
    if (responseFormat?.type === "json_schema") {
      this.schemaText = noText();
      addText(this.schemaText, responseFormat.name);
      addText(this.schemaText, responseFormat.description);
      addText(this.schemaText, responseFormat.schemaJson || JSON.stringify(responseFormat.schema ?? {}));
    }
    const { reasoningEffort = "", reasoningBudgetTokens = 0 } = parameters ?? {};
    this.thinking = reasoningBudgetTokens > 0 || (reasoningEffort !== "" && reasoningEffort !== "none");
  }

  private addMessage({ content, parts, name }: Message): void {
    if (content) this.say(content);
    if (name) this.say(name);
    for (const { part } of parts) this.addPart(part);
  }

  private addPart(part: Part["part"]): void {
    switch (part.case) {
      case "text":
      case "refusal":
        this.say(part.value);
        break;
      case "image":
        this.images.push(part.value);
        break;
      case "file":
        this.addFile(part.value);
        break;
      case "toolCall":
        this.calls++;
        this.say(part.value.name);
        this.say(part.value.arguments || part.value.input);
        this.sealedChars += part.value.signature.length;
        break;
      case "toolResult":
        this.calls++;
        this.say(part.value.content);
        break;
      case "reasoning":
        this.say(part.value.text);
        this.sealedChars += part.value.redacted.length;
        // Anthropic's seal holds the thoughts that stand beside it; where they do not, it is all there is.
        if (!part.value.text) this.sealedChars += part.value.signature.length;
        break;
      case "providerPart":
        this.say(part.value.json);
        break;
    }
  }

  private addFile({ source, mediaType }: Media): void {
    if (source.case === "data" && mediaType.startsWith("text/")) this.say(UTF8.decode(source.value));
    else if (source.case === "data") this.fileBytes += source.value.length;
    else if (source.case === "url" && source.value.startsWith("data:")) this.fileBytes += source.value.length;
    else {
      this.remoteFiles++;
      // As providers are told what it is.
      const type = mediaType || (source.case === "url" ? mediaTypeOf(source.value) : "");
      if (!SILENT.test(type)) this.sound = true;
    }
  }
}

const SILENT = /^(?:application|image|text)\//;

const UTF8 = new TextDecoder();
