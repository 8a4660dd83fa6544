/** What stands in one message: texts, pictures and files, in their order. */
import type {
  ChatCompletionContentPartImage as ContentImage,
  ChatCompletionContentPartText as ContentText,
} from "openai/resources/chat/completions";
import type { Media, Message, Part } from "../../../gen/ts/llmgateway/v1/message_pb.ts";
import type { Violation } from "../../core/failure.ts";
import { misplaced } from "../parts.ts";
import { encodeImage } from "./media.ts";

/** @param encodeFile the one thing that not all who speak like OpenAI write in the same way */
export function userContent<File extends { readonly type: string }>(
  message: Message,
  path: string,
  wrong: Violation[],
  encodeFile: (media: Media, path: string, wrong: Violation[]) => File,
): string | (ContentText | ContentImage | File)[] {
  const content: (ContentText | ContentImage | File)[] = [];
  if (message.content) content.push(text(message.content));
  message.parts.forEach((part, j) => {
    const at = `${path}.parts[${j}]`;
    if (part.part.case === "text") content.push(text(part.part.value));
    else if (part.part.case === "image") content.push(encodeImage(part.part.value, `${at}.image`, wrong));
    else if (part.part.case === "file") content.push(encodeFile(part.part.value, `${at}.file`, wrong));
    else misplaced(part, at, message.role, wrong);
  });
  const words = content.filter((part): part is ContentText => part.type === "text");
  return words.length === content.length ? (plain(words) ?? "") : content;
}

/** The text of a message, `content` first; what else there is, `other` takes or leaves. */
export function texts(
  message: Message,
  path: string,
  wrong: Violation[],
  other: (part: Part, path: string) => boolean = () => false,
): ContentText[] {
  const words = message.content ? [text(message.content)] : [];
  message.parts.forEach((part, j) => {
    const at = `${path}.parts[${j}]`;
    if (part.part.case === "text") words.push(text(part.part.value));
    else if (!other(part, at)) misplaced(part, at, message.role, wrong);
  });
  return words;
}

/** A single text as a plain string, which every compatible server understands. */
export function plain(words: ContentText[]): string | ContentText[] | undefined {
  return words.length > 1 ? words : words[0]?.text;
}

export function text(value: string): ContentText {
  return { type: "text", text: value };
}
