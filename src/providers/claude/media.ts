/** Pictures and documents, for Anthropic's body. */
import type {
  Base64ImageSource,
  DocumentBlockParam,
  ImageBlockParam,
} from "@anthropic-ai/sdk/resources/messages";
import type { Media } from "../../../gen/ts/llmgateway/v1/message_pb.ts";
import type { Violation } from "../../core/failure.ts";

export function encodeImage(media: Media, path: string, wrong: Violation[]): ImageBlockParam {
  const { source, detail } = media;
  if (detail && detail !== "auto") {
    wrong.push({ field: `${path}.detail`, description: "is not known to this provider; leave it out" });
  }
  if (source.case === "fileId") return { type: "image", source: { type: "file", file_id: source.value } };
  const bytes = bytesOf(media, path, wrong);
  if (!bytes) return { type: "image", source: { type: "url", url: String(source.value ?? "") } };
  // Which types it reads is for the model to say.
  const media_type = bytes.mediaType as Base64ImageSource["media_type"];
  return { type: "image", source: { type: "base64", media_type, data: bytes.base64 } };
}

/** A PDF, or plain text, which goes as text. */
export function encodeFile(media: Media, path: string, wrong: Violation[]): DocumentBlockParam {
  const document: DocumentBlockParam = { type: "document", source: documentOf(media, path, wrong) };
  if (media.name) document.title = media.name;
  return document;
}

function documentOf(media: Media, path: string, wrong: Violation[]): DocumentBlockParam["source"] {
  const { source } = media;
  if (source.case === "fileId") return { type: "file", file_id: source.value };
  const bytes = bytesOf(media, path, wrong);
  if (!bytes) return { type: "url", url: String(source.value ?? "") };
  const { mediaType, base64 } = bytes;
  if (mediaType.startsWith("text/plain")) {
    return { type: "text", media_type: "text/plain", data: Buffer.from(base64, "base64").toString() };
  }
  if (mediaType !== "application/pdf") {
    wrong.push({
      field: `${path}.media_type`,
      description: `the provider reads application/pdf and text/plain, not "${mediaType}"`,
    });
  }
  return { type: "base64", media_type: "application/pdf", data: base64 };
}

const DATA_URL = /^data:([^;,]+)(?:;[^;,]+)*;base64,(.*)$/s;

/** Undefined for what the provider fetches. */
function bytesOf(
  { source, mediaType }: Media,
  path: string,
  wrong: Violation[],
): { mediaType: string; base64: string } | undefined {
  if (source.case === "data") {
    const { buffer, byteOffset, byteLength } = source.value;
    if (!mediaType) wrong.push({ field: `${path}.media_type`, description: "is required beside data" });
    return { mediaType, base64: Buffer.from(buffer, byteOffset, byteLength).toString("base64") };
  }
  if (source.case !== "url") {
    wrong.push({ field: path, description: "has no source" });
  } else if (source.value.startsWith("data:")) {
    const [, type = "", base64 = ""] = DATA_URL.exec(source.value) ?? [];
    if (!type) wrong.push({ field: `${path}.url`, description: "must be a data: URL in base64" });
    return { mediaType: type, base64 };
  }
  return undefined;
}
