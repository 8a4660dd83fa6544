/**
 * What was said in a call as it may be kept: without what the patterns find, without the bytes of images and files, and
 * no longer than it may be. Nothing is cut before it is looked at as a whole, so that no half of a secret is left.
 */
import type { Choice } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { Media, Message, Part } from "../../gen/ts/llmgateway/v1/message_pb.ts";
import { edited } from "./examine.ts";
import type { Patterns, TextKind } from "./hook.ts";
import { findIn } from "./json-text.ts";
import { Placeholders } from "./placeholders.ts";

export interface KeptRules {
  readonly maxBytes: number;
  /** Of what is taken out; each sees what the one before has left. Never empty. */
  readonly patterns: readonly Patterns[];
  /** Takes out what is known as it is, such as the gateway's own keys. It holds no spaces. */
  hide(text: string): string;
  /** Whether nothing of what holds the text may be kept. */
  isSensitive(text: string): boolean;
}

export interface KeptText {
  readonly messages: Message[];
  readonly choices: Choice[];
  /** Whether something is missing, beside what was taken out. */
  readonly truncated: boolean;
}

export interface Conversation {
  readonly messages: readonly Message[];
  readonly choices: readonly Choice[];
  /** How long the answer is. It has at least half of the room, where it needs that much. */
  readonly answerChars: number;
  /** Whether there was more of the answer. */
  readonly truncated: boolean;
}

/** Why a model stops that had said all that it wanted. Anything else may have cut a word in two. */
const ENDED: readonly string[] = ["stop", "tool_calls"];
/** For what is no text: roles, places in lists. */
const MESSAGE_BYTES = 16;
const PART_BYTES = 8;

/** @returns undefined when it may not be kept */
export function keptText(
  { messages, choices, answerChars, truncated }: Conversation,
  rules: KeptRules,
): KeptText | undefined {
  const keeping = new Keeping(rules);
  const spared = Math.min(answerChars, rules.maxBytes >> 1);
  keeping.left -= spared;
  const asked: Message[] = [];
  for (const message of messages.toReversed()) {
    const kept = keeping.message(message);
    if (kept) asked.push(kept);
  }
  keeping.left += spared;
  const answered = choices.flatMap((choice) => {
    keeping.isBroken = truncated || !ENDED.includes(choice.finishReason);
    const message = choice.message && keeping.message(choice.message);
    return message ? [{ ...choice, message }] : [];
  });
  if (keeping.isSensitive) return undefined;
  return { messages: asked.reverse(), choices: answered, truncated: truncated || keeping.truncated };
}

class Keeping {
  left: number;
  truncated = false;
  isSensitive = false;
  /** Whether the texts may end where more was to come. */
  isBroken = false;
  private readonly rules: KeptRules;
  private readonly placeholders = new Placeholders();

  constructor(rules: KeptRules) {
    this.rules = rules;
    this.left = rules.maxBytes;
  }

  message({ role, content, parts, name }: Message): Message | undefined {
    if (!this.take(MESSAGE_BYTES)) return undefined;
    return {
      $typeName: "llmgateway.v1.Message",
      role: this.text(role),
      name: this.text(name),
      content: this.text(content, "tool"),
      parts: parts.flatMap(({ part }): Part[] =>
        this.take(PART_BYTES) ? [{ $typeName: "llmgateway.v1.Part", part: this.part(part) }] : [],
      ),
    };
  }

  /** Without the providers' seals, which are of other texts. */
  private part(part: Part["part"]): Part["part"] {
    switch (part.case) {
      case "text":
      case "refusal":
        return { ...part, value: this.text(part.value) };
      case "image":
      case "file":
        return { case: "text", value: this.text(`[${part.case}: ${described(part.value)}]`) };
      case "reasoning":
        return {
          ...part,
          value: { ...part.value, text: this.text(part.value.text), signature: "", redacted: "" },
        };
      case "toolResult": {
        const { toolCallId, content } = part.value;
        const toldBy = this.text(toolCallId);
        return { ...part, value: { ...part.value, toolCallId: toldBy, content: this.text(content, "tool") } };
      }
      case "toolCall": {
        const { id, name, arguments: json, input, ...value } = part.value;
        const [keptId, keptName] = [this.text(id), this.text(name)];
        const said = { arguments: this.text(json, "json"), input: this.text(input, "tool") };
        return { ...part, value: { ...value, id: keptId, name: keptName, ...said, signature: "" } };
      }
      case "citation": {
        const { title, url, quote } = part.value;
        const said = { title: this.text(title), url: this.text(url), quote: this.text(quote) };
        return { ...part, value: { ...part.value, ...said, providerJson: "" } };
      }
      case "providerPart": {
        const { provider, type, json } = part.value;
        const [by, what] = [this.text(provider), this.text(type)];
        return { ...part, value: { ...part.value, provider: by, type: what, json: this.text(json, "json") } };
      }
      default:
        return part;
    }
  }

  private text(text: string, kind: TextKind = "text"): string {
    if (text === "" || !this.take(0)) return "";
    const begin = text.slice(0, this.left);
    const isWhole = begin.length === text.length && !this.isBroken;
    const part = isWhole ? begin : this.withoutOpenEnd(begin);
    if (part.length < text.length) this.truncated = true;
    if (this.rules.isSensitive(part)) this.isSensitive = true;
    const kept = bounded(this.clean(part, kind).toWellFormed(), this.left);
    if (kept.isCut) this.truncated = true;
    this.left -= kept.bytes;
    return kept.text;
  }

  /** What may go on behind it is left out, since it was not seen as a whole. */
  private withoutOpenEnd(text: string): string {
    return text.slice(0, Math.min(...this.rules.patterns.map(({ heldFrom }) => heldFrom(text))));
  }

  private clean(text: string, kind: TextKind): string {
    this.placeholders.avoid(text);
    let rest = this.rules.hide(text);
    for (const pattern of this.rules.patterns) {
      const edits = findIn(pattern, kind, rest).map(({ start, end, category }) => ({
        start,
        end,
        instead: this.placeholders.of(category, rest.slice(start, end), false),
      }));
      rest = edited(rest, edits);
    }
    return rest;
  }

  private take(bytes: number): boolean {
    if (this.left <= bytes) {
      this.truncated = true;
      return false;
    }
    this.left -= bytes;
    return true;
  }
}

/** As much of the beginning as has so many bytes in UTF-8, in whole characters. */
function bounded(text: string, maxBytes: number): { text: string; bytes: number; isCut: boolean } {
  const bytes = Buffer.byteLength(text);
  if (bytes <= maxBytes) return { text, bytes, isCut: false };
  const { read, written } = new TextEncoder().encodeInto(text, new Uint8Array(maxBytes));
  return { text: text.slice(0, read), bytes: written, isCut: true };
}

function described({ source, mediaType }: Media): string {
  switch (source.case) {
    case "data":
      return `${mediaType}, ${source.value.length} bytes`;
    case "url":
      return source.value.startsWith("data:") ? ofDataUrl(source.value) : typed(mediaType, "by its address");
    default:
      return typed(mediaType, "uploaded before");
  }
}

function typed(mediaType: string, what: string): string {
  return mediaType === "" ? what : `${mediaType}, ${what}`;
}

function ofDataUrl(url: string): string {
  const head = /^data:([^,;]{0,100})([^,]{0,200}),/.exec(url);
  const chars = url.length - (head?.[0].length ?? 0);
  const bytes = head?.[2]?.endsWith(";base64") ? Math.floor((chars * 3) / 4) : chars;
  return typed(head?.[1] ?? "", `${bytes} bytes`);
}
