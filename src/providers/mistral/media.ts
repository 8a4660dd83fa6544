/** Documents, for Mistral's body: it fetches them itself, or reads them out of data URLs. */
import type { DocumentURLChunk$Outbound, FileChunk$Outbound } from "@mistralai/mistralai/models/components";
import type { Media } from "../../../gen/ts/llmgateway/v1/message_pb.ts";
import type { Violation } from "../../core/failure.ts";
import { dataUrl } from "../openai/media.ts";

export function encodeDocument(
  media: Media,
  path: string,
  wrong: Violation[],
): DocumentURLChunk$Outbound | FileChunk$Outbound {
  const { source } = media;
  if (source.case === "fileId") return { type: "file", file_id: source.value };
  const chunk: DocumentURLChunk$Outbound = { type: "document_url", document_url: "" };
  if (source.case === "url") chunk.document_url = source.value;
  else if (source.case === "data") chunk.document_url = dataUrl(media, source.value, path, wrong);
  else wrong.push({ field: path, description: "has no source" });
  if (media.name) chunk.document_name = media.name;
  return chunk;
}
