/**
 * The conversation, for Converse: instructions apart from it, and users and assistants in turns. It is JSON
 * text, since the arguments of tools stay as the model wrote them.
 */
import type { CachePointBlock, ContentBlock, SystemContentBlock } from "@aws-sdk/client-bedrock-runtime";
import type { ChatRequest } from "../../../gen/ts/llmgateway/v1/chat_pb.ts";
import type {
  CacheMark,
  Message,
  Part,
  Reasoning,
  ToolCall,
} from "../../../gen/ts/llmgateway/v1/message_pb.ts";
import type { Violation } from "../../core/failure.ts";
import { plainCallId } from "../call_id.ts";
import { isBlank, misplaced, toolResultsOf } from "../parts.ts";
import { rawSchema, stringifyWith } from "../raw_json.ts";
import { PROVIDER } from "./blocks.ts";
import { encodeFile, encodeImage } from "./media.ts";
import type { ModelName } from "./model.ts";
import type { OnWire } from "./wire.ts";

/** As JSON texts; empty where there is nothing. */
export interface Conversation {
  readonly system: string;
  readonly messages: string;
  /** Whether tools were called in it: then Converse wants their declarations. */
  readonly callsTools: boolean;
}

interface Turn {
  readonly role: "user" | "assistant";
  readonly blocks: string[];
}

export function encodeConversation(request: ChatRequest, model: ModelName, wrong: Violation[]): Conversation {
  const encoder = new Encoder(model, wrong);
  for (const [i, message] of request.messages.entries()) encoder.add(message, `messages[${i}]`);
  return encoder.conversation();
}

export function cachePoint({ ttl }: CacheMark): string {
  const point: CachePointBlock = { type: "default" };
  if (ttl) point.ttl = ttl as NonNullable<CachePointBlock["ttl"]>;
  return JSON.stringify({ cachePoint: point });
}

class Encoder {
  private readonly model: ModelName;
  private readonly wrong: Violation[];
  private readonly system: string[] = [];
  private readonly turns: Turn[] = [];
  private readonly documents = new Set<string>();
  private callsTools = false;

  constructor(model: ModelName, wrong: Violation[]) {
    this.model = model;
    this.wrong = wrong;
  }

  add(message: Message, path: string): void {
    const blocks = this.blocksOf(message, path);
    if (message.cache && !message.parts.at(-1)?.cache) this.mark(message.cache, blocks, path);
    if (message.role === "system" || message.role === "developer") this.system.push(...blocks);
    else if (blocks.length > 0)
      this.turn(message.role === "assistant" ? "assistant" : "user").push(...blocks);
  }

  conversation(): Conversation {
    if (this.turns.length === 0)
      this.wrong.push({ field: "messages", description: "there is nothing to answer" });
    const turns = this.turns.map(({ role, blocks }) => `{"role":"${role}","content":[${blocks.join(",")}]}`);
    return {
      system: this.system.length > 0 ? `[${this.system.join(",")}]` : "",
      messages: `[${turns.join(",")}]`,
      callsTools: this.callsTools,
    };
  }

  /** One speaker says all of it until the other does, as most models want it. */
  private turn(role: Turn["role"]): string[] {
    const last = this.turns.at(-1);
    if (last?.role === role) return last.blocks;
    const blocks: string[] = [];
    this.turns.push({ role, blocks });
    return blocks;
  }

  private blocksOf(message: Message, path: string): string[] {
    switch (message.role) {
      case "system":
      case "developer":
        return this.said(message, path, 0);
      case "user": {
        const blocks = this.said(message, path, 0);
        if (blocks.length === 0)
          this.wrong.push({ field: `${path}.content`, description: "must not be empty" });
        return blocks;
      }
      case "assistant": {
        const first = message.parts.findIndex(({ part }) => part.case !== "reasoning");
        return this.said(message, path, first < 0 ? message.parts.length : first);
      }
      case "tool":
        return this.results(message, path);
      default:
        this.wrong.push({ field: `${path}.role`, description: `"${message.role}" is no role` });
        return [];
    }
  }

  /** @param thoughts how many of the parts are thoughts that precede the content */
  private said(message: Message, path: string, thoughts: number): string[] {
    const blocks = message.parts.map((part, j) => this.partBlocks(part, `${path}.parts[${j}]`, message.role));
    return [...blocks.slice(0, thoughts), textBlocks(message.content), ...blocks.slice(thoughts)].flat();
  }

  private partBlocks(part: Part, path: string, role: string): string[] {
    const blocks = this.placed(part, path, role);
    if (part.cache) this.mark(part.cache, blocks, path);
    return blocks;
  }

  private mark(cache: CacheMark, blocks: string[], path: string): void {
    if (blocks.length > 0) blocks.push(cachePoint(cache));
    else
      this.wrong.push({ field: `${path}.cache`, description: "there is nothing in it that can be marked" });
  }

  private placed(whole: Part, path: string, role: string): string[] {
    const { part } = whole;
    if (part.case === "text") return textBlocks(part.value);
    if (role === "user" && part.case === "image")
      return [block({ image: encodeImage(part.value, `${path}.image`, this.wrong) })];
    if (role === "user" && part.case === "file")
      return [block({ document: encodeFile(part.value, `${path}.file`, this.documents, this.wrong) })];
    if (role === "assistant") {
      if (part.case === "toolCall") return [this.toolUse(part.value, `${path}.tool_call`)];
      if (part.case === "reasoning") return this.thought(part.value);
      if (part.case === "refusal") return textBlocks(part.value);
      // What it is about stands before it as text.
      if (part.case === "citation") return [];
      if (part.case === "providerPart") {
        const { provider, json } = part.value;
        return provider === PROVIDER ? [rawSchema(`${path}.provider_part.json`, json, this.wrong)] : [];
      }
    }
    misplaced(whole, path, role, this.wrong);
    return [];
  }

  private toolUse(call: ToolCall, path: string): string {
    const { id, name, input } = call;
    this.callsTools = true;
    if (!id)
      this.wrong.push({ field: `${path}.id`, description: "the provider ties results to calls by their id" });
    if (!name) this.wrong.push({ field: `${path}.name`, description: "a call names its tool" });
    if (input)
      this.wrong.push({ field: `${path}.input`, description: "the provider has no free-text tools" });
    const args = rawSchema(`${path}.arguments`, call.arguments || "{}", this.wrong);
    return `{"toolUse":${stringifyWith({ toolUseId: plainCallId(id), name }, { input: args })}}`;
  }

  /** Claude refuses thoughts that it cannot verify, as those of another provider. */
  private thought({ text, signature, redacted }: Reasoning): string[] {
    if (redacted) return [block({ reasoningContent: { redactedContent: redacted } })];
    if (!signature && this.model.vendor === "anthropic") return [];
    const reasoningText = signature ? { text, signature } : { text };
    return [block({ reasoningContent: { reasoningText } })];
  }

  /** A blank text is refused, but a result may hold nothing. */
  private results(message: Message, path: string): string[] {
    this.callsTools = true;
    return toolResultsOf(message, path, this.wrong).flatMap(({ result, cache }) => {
      const { toolCallId, content, isError } = result;
      const toolResult = {
        toolUseId: plainCallId(toolCallId),
        content: isBlank(content) ? [] : [{ text: content }],
      };
      const wire = block({ toolResult: isError ? { ...toolResult, status: "error" } : toolResult });
      return cache ? [wire, cachePoint(cache)] : [wire];
    });
  }
}

function textBlocks(text: string): string[] {
  return isBlank(text) ? [] : [block({ text })];
}

/** By its name a member of the union; the SDK's type has each with the others forbidden. */
function block(value: Partial<OnWire<ContentBlock | SystemContentBlock>>): string {
  return JSON.stringify(value);
}
