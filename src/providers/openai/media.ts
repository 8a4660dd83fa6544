/** Pictures and documents, for OpenAI's body: bytes become data URLs. */
import type {
  ChatCompletionContentPart,
  ChatCompletionContentPartImage,
} from "openai/resources/chat/completions";
import type { Media } from "../../../gen/ts/llmgateway/v1/message_pb.ts";
import type { Violation } from "../../core/failure.ts";

/** `detail` goes as it is: which ones there are is for the model to say. */
export function encodeImage(media: Media, path: string, wrong: Violation[]): ChatCompletionContentPartImage {
  const image: ChatCompletionContentPartImage.ImageURL = { url: "" };
  if (media.source.case === "url") image.url = media.source.value;
  else if (media.source.case === "data") image.url = dataUrl(media, media.source.value, path, wrong);
  else if (media.source.case === "fileId") refuse(`${path}.file_id`, "an image goes by url or data", wrong);
  else refuse(path, "has no source", wrong);
  if (media.detail) image.detail = media.detail as NonNullable<typeof image.detail>;
  return { type: "image_url", image_url: image };
}

/** OpenAI fetches no documents, and wants a name for the bytes of one. */
export function encodeFile(media: Media, path: string, wrong: Violation[]): ChatCompletionContentPart.File {
  const { source } = media;
  if (source.case === "fileId") return { type: "file", file: { file_id: source.value } };
  const file: ChatCompletionContentPart.File.File = {
    filename: media.name || `document.${extension(media)}`,
  };
  if (source.case === "data") file.file_data = dataUrl(media, source.value, path, wrong);
  else if (source.case === undefined) refuse(path, "has no source", wrong);
  else if (source.value.startsWith("data:")) file.file_data = source.value;
  else refuse(`${path}.url`, "the provider fetches no files: send data, a data: URL or a file_id", wrong);
  return { type: "file", file };
}

export function dataUrl(media: Media, bytes: Uint8Array, path: string, wrong: Violation[]): string {
  if (!media.mediaType) refuse(`${path}.media_type`, "is required beside data", wrong);
  const base64 = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
  return `data:${media.mediaType};base64,${base64}`;
}

function extension(media: Media): string {
  return /^[a-z]+\/([a-z0-9]+)$/.exec(media.mediaType)?.[1] ?? "pdf";
}

function refuse(field: string, description: string, wrong: Violation[]): void {
  wrong.push({ field, description });
}
