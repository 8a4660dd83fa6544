/** Pictures and documents, for Google's parts: bytes stand in the part, anything else by its address. */
import type { Media } from "../../../gen/ts/llmgateway/v1/message_pb.ts";
import type { Violation } from "../../core/failure.ts";
import { mediaTypeOf } from "../../core/media-type.ts";
import type { Part } from "./api.ts";
import { isGemini3 } from "./model.ts";

export function encodeMedia(media: Media, model: string, path: string, wrong: Violation[]): Part {
  const part = encodeSource(media, path, wrong);
  const level = LEVELS.get(media.detail);
  if (level && isGemini3(model)) part.mediaResolution = { level };
  else if (media.detail && media.detail !== "auto") {
    const known = level ? "needs a model of Gemini 3 or later" : "must be low, high or auto";
    wrong.push({ field: `${path}.detail`, description: `${known}; leave it out` });
  }
  return part;
}

const LEVELS: ReadonlyMap<string, NonNullable<Part["mediaResolution"]>["level"]> = new Map([
  ["low", "MEDIA_RESOLUTION_LOW"],
  ["high", "MEDIA_RESOLUTION_HIGH"],
]);

function encodeSource({ source, mediaType }: Media, path: string, wrong: Violation[]): Part {
  switch (source.case) {
    case "data": {
      if (!mediaType) {
        wrong.push({ field: `${path}.media_type`, description: "is required beside data" });
      }
      const { buffer, byteOffset, byteLength } = source.value;
      const data = Buffer.from(buffer, byteOffset, byteLength).toString("base64");
      return { inlineData: { mimeType: mediaType, data } };
    }
    case "url": {
      const inline = DATA_URL.exec(source.value);
      if (inline) return { inlineData: { mimeType: inline[1] || mediaType, data: inline[2] ?? "" } };
      if (source.value.startsWith("data:")) {
        wrong.push({ field: `${path}.url`, description: "must be base64, as data:image/png;base64,…" });
      }
      // Vertex AI fetches nothing whose type it is not told.
      return fileData(source.value, mediaType || mediaTypeOf(source.value));
    }
    case "fileId":
      return fileData(source.value, mediaType);
    default:
      wrong.push({ field: path, description: "has no source" });
      return {};
  }
}

/** Parameters such as a charset are no part of Google's media types. */
const DATA_URL = /^data:([^;,]*)(?:;[^;,]*)*?;base64,([A-Za-z0-9+/=]*)$/;

/** Gemini can do without a type for what it stores itself. */
function fileData(fileUri: string, mimeType: string): Part {
  return { fileData: mimeType ? { fileUri, mimeType } : { fileUri } };
}
