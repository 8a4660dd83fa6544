/**
 * The conversation, for Google's body: turns of the user and the model, and the
 * instructions apart. Parts are JSON text, so that arguments stay as they came.
 */
import type { ChatRequest } from "../../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { Message, Part, Reasoning, ToolCall } from "../../../gen/ts/llmgateway/v1/message_pb.ts";
import type { Violation } from "../../core/failure.ts";
import { misplaced, toolResultsOf } from "../parts.ts";
import { objectOf, rawSchema } from "../raw_json.ts";
import type { FunctionResponse, Part as WirePart } from "./api.ts";
import { isMadeUp } from "./call_id.ts";
import { PROVIDER } from "./candidate.ts";
import { encodeMedia } from "./media.ts";
import { isGemini3 } from "./model.ts";

/** All JSON text. */
export interface Conversation {
  readonly contents: string;
  /** Empty when there are none. */
  readonly instructions: string;
}

/** Instructions may stand anywhere in a conversation; Google has one place for them, before it. */
export function encodeConversation(request: ChatRequest, model: string, wrong: Violation[]): Conversation {
  const conversation = new Turns(model, wrong);
  request.messages.forEach((message, i) => {
    conversation.add(message, `messages[${i}]`);
  });
  return conversation.done();
}

/** Messages of one role that follow each other are one turn; all results of a turn's calls must be. */
interface Turn {
  readonly speaker: "user" | "model";
  readonly parts: string[];
}

/** A turn of the user that answers calls. */
interface Results {
  readonly speaker: "tool";
  readonly parts: Result[];
}

interface Result {
  readonly json: string;
  /** The place of its call among all calls. */
  readonly call: number;
}

interface Called {
  readonly name: string;
  readonly call: number;
}

class Turns {
  private readonly model: string;
  private readonly wrong: Violation[];
  private readonly turns: (Turn | Results)[] = [];
  private readonly instructions: string[] = [];
  /** The calls so far, by their ids. */
  private readonly called = new Map<string, Called>();

  constructor(model: string, wrong: Violation[]) {
    this.model = model;
    this.wrong = wrong;
  }

  add(message: Message, path: string): void {
    switch (message.role) {
      case "system":
      case "developer":
        this.instructions.push(...this.encodePlain(message, path, () => undefined));
        break;
      case "user":
        this.addTurn("user", this.encodeUser(message, path));
        break;
      case "assistant":
        this.addTurn("model", new Answer(this.model, this.called, this.wrong).encode(message, path));
        break;
      case "tool":
        this.addResults(this.encodeResults(message, path));
        break;
      default:
        this.wrong.push({ field: `${path}.role`, description: `"${message.role}" is no role` });
    }
  }

  done(): Conversation {
    if (this.turns.length === 0) {
      const description = "need one of role user: the provider answers no instructions alone";
      this.wrong.push({ field: "messages", description });
    }
    const contents = this.turns.map((turn) => {
      const role = turn.speaker === "model" ? "model" : "user";
      const parts = turn.speaker === "tool" ? inOrder(turn.parts) : turn.parts;
      return `{"role":"${role}","parts":[${parts.join(",")}]}`;
    });
    return {
      contents: `[${contents.join(",")}]`,
      instructions: this.instructions.length > 0 ? `{"parts":[${this.instructions.join(",")}]}` : "",
    };
  }

  private addTurn(speaker: Turn["speaker"], parts: string[]): void {
    const last = this.turns.at(-1);
    if (last?.speaker === speaker) last.parts.push(...parts);
    else if (parts.length > 0) this.turns.push({ speaker, parts });
  }

  private addResults(parts: Result[]): void {
    const last = this.turns.at(-1);
    if (last?.speaker === "tool") last.parts.push(...parts);
    else this.turns.push({ speaker: "tool", parts });
  }

  private encodeUser(message: Message, path: string): string[] {
    const parts = this.encodePlain(message, path, ({ part }, at) => {
      if (part.case !== "image" && part.case !== "file") return undefined;
      return JSON.stringify(encodeMedia(part.value, this.model, `${at}.${part.case}`, this.wrong));
    });
    return parts.length > 0 ? parts : [text("")];
  }

  /** The text of a message, `content` first; anything else only where `other` makes something of it. */
  private encodePlain(
    message: Message,
    path: string,
    other: (part: Part, path: string) => string | undefined,
  ): string[] {
    const parts = message.content ? [text(message.content)] : [];
    message.parts.forEach((part, j) => {
      const at = `${path}.parts[${j}]`;
      const encoded = part.part.case === "text" ? text(part.part.value) : other(part, at);
      if (encoded === undefined) misplaced(part, at, message.role, this.wrong);
      else parts.push(encoded);
    });
    return parts;
  }

  private encodeResults(message: Message, path: string): Result[] {
    return toolResultsOf(message, path, this.wrong).map(({ result }, j) => {
      const { toolCallId: id, content, isError } = result;
      const called = this.called.get(id);
      if (!called) {
        const field = `${path}.parts[${j}].tool_result.tool_call_id`;
        const description =
          "is no call's id: the assistant's message with the call must stand before its result";
        this.wrong.push({ field, description });
      }
      const functionResponse: FunctionResponse = {
        name: called?.name ?? "",
        // Both names are documented: what else is in the object would be taken as the output.
        response: isError ? { error: content } : { output: content },
      };
      if (!isMadeUp(id)) functionResponse.id = id;
      return { json: JSON.stringify({ functionResponse }), call: called?.call ?? 0 };
    });
  }
}

/** Without ids only the order tells which call of a tool a result is for. */
function inOrder(results: readonly Result[]): string[] {
  return results.toSorted((a, b) => a.call - b.call).map(({ json }) => json);
}

/** https://ai.google.dev/gemini-api/docs/thought-signatures: for calls that another model made. */
const NOT_SIGNED = "skip_thought_signature_validator";

/** One message of the assistant. */
class Answer {
  private readonly model: string;
  private readonly called: Map<string, Called>;
  private readonly wrong: Violation[];
  /** A text stays an object until it is known who signs it. */
  private readonly parts: (WirePart | string)[] = [];
  private hasCalls = false;

  constructor(model: string, called: Map<string, Called>, wrong: Violation[]) {
    this.model = model;
    this.called = called;
    this.wrong = wrong;
  }

  encode(message: Message, path: string): string[] {
    // Thoughts come before the text that they led to, although `content` has no place among the parts.
    const thoughts = message.parts.findIndex(({ part }) => part.case !== "reasoning" || !part.value.text);
    const first = thoughts < 0 ? message.parts.length : thoughts;
    message.parts.forEach((part, j) => {
      if (j === first) this.say(message.content);
      this.add(part, `${path}.parts[${j}]`, message.role);
    });
    if (first === message.parts.length) this.say(message.content);
    return this.parts.map((part) => (typeof part === "string" ? part : JSON.stringify(part)));
  }

  private add(part: Part, path: string, role: string): void {
    switch (part.part.case) {
      case "text":
      case "refusal":
        this.say(part.part.value);
        break;
      case "reasoning":
        this.think(part.part.value);
        break;
      case "toolCall":
        this.call(part.part.value, `${path}.tool_call`);
        break;
      case "providerPart":
        if (part.part.value.provider !== PROVIDER || NO_PARTS.has(part.part.value.type)) break;
        this.parts.push(rawSchema(`${path}.provider_part.json`, part.part.value.json, this.wrong));
        break;
      case "citation":
        break;
      default:
        misplaced(part, path, role, this.wrong);
    }
  }

  private say(words: string): void {
    if (words) this.parts.push({ text: words });
  }

  /** What only another provider can read is left out. */
  private think({ text: thought, signature }: Reasoning): void {
    const last = this.parts.at(-1);
    if (thought) {
      this.parts.push({
        text: thought,
        thought: true,
        ...(signature ? { thoughtSignature: signature } : {}),
      });
    } else if (signature && typeof last === "object" && !last.thought && !last.thoughtSignature) {
      last.thoughtSignature = signature;
    } else if (signature) {
      this.parts.push({ text: "", thoughtSignature: signature });
    }
  }

  private call(call: ToolCall, path: string): void {
    const { id, name, input, arguments: args } = call;
    if (!id)
      this.wrong.push({ field: `${path}.id`, description: "a call needs an id, for its result to name" });
    if (!name) this.wrong.push({ field: `${path}.name`, description: "a call names its tool" });
    if (input && !args) {
      this.wrong.push({ field: `${path}.input`, description: "this provider has no free-text tools" });
    }
    this.called.set(id, { name, call: this.called.size });
    const functionCall = new Map([["name", JSON.stringify(name)]]);
    if (!isMadeUp(id)) functionCall.set("id", JSON.stringify(id));
    functionCall.set("args", rawSchema(`${path}.arguments`, args, this.wrong) || "{}");
    const part = new Map([["functionCall", objectOf(functionCall)]]);
    // Of parallel calls only the first is signed.
    const signature = call.signature || (isGemini3(this.model) && !this.hasCalls ? NOT_SIGNED : "");
    if (signature) part.set("thoughtSignature", JSON.stringify(signature));
    this.hasCalls = true;
    this.parts.push(objectOf(part));
  }
}

/** They came beside the parts of an answer, and have no place in a request. */
const NO_PARTS: ReadonlySet<string> = new Set(["groundingMetadata", "urlContextMetadata"]);

function text(value: string): string {
  return JSON.stringify({ text: value } satisfies WirePart);
}
