/** Pictures and documents, for Converse: as bytes, or where they lie on S3. */
import type { DocumentBlock, ImageBlock } from "@aws-sdk/client-bedrock-runtime";
import type { Media } from "../../../gen/ts/llmgateway/v1/message_pb.ts";
import type { Violation } from "../../core/failure.ts";
import type { OnWire } from "./wire.ts";

type Image = OnWire<ImageBlock>;
type Document = OnWire<DocumentBlock>;
type Source = { readonly bytes: string } | { readonly s3Location: { readonly uri: string } };

const IMAGE_FORMATS: Formats<NonNullable<Image["format"]>> = new Map([
  ["image/png", "png"],
  ["image/jpeg", "jpeg"],
  ["image/jpg", "jpeg"],
  ["image/gif", "gif"],
  ["image/webp", "webp"],
]);

const DOCUMENT_FORMATS: Formats<NonNullable<Document["format"]>> = new Map([
  ["application/pdf", "pdf"],
  ["text/csv", "csv"],
  ["text/html", "html"],
  ["text/plain", "txt"],
  ["text/markdown", "md"],
  ["application/msword", "doc"],
  ["application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx"],
  ["application/vnd.ms-excel", "xls"],
  ["application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"],
]);

type Formats<F extends string> = ReadonlyMap<string, F>;

export function encodeImage(media: Media, path: string, wrong: Violation[]): Image {
  if (media.detail && media.detail !== "auto")
    wrong.push({ field: `${path}.detail`, description: "is not known to this provider; leave it out" });
  const { source, mediaType } = sourceOf(media, path, wrong);
  return { format: formatOf(IMAGE_FORMATS, mediaType, media, path, wrong), source } as Image;
}

/** @param names of the documents so far, since each needs one of its own */
export function encodeFile(media: Media, path: string, names: Set<string>, wrong: Violation[]): Document {
  const { source, mediaType } = sourceOf(media, path, wrong);
  const format = formatOf(DOCUMENT_FORMATS, mediaType, media, path, wrong);
  return { format, name: documentName(media.name, names), source } as Document;
}

const DATA_URL = /^data:([^;,]*)(?:;[^;,]+)*;base64,(.*)$/s;

function sourceOf(
  { source, mediaType }: Media,
  path: string,
  wrong: Violation[],
): { source: Source; mediaType: string } {
  if (source.case === "data") {
    const { buffer, byteOffset, byteLength } = source.value;
    const bytes = Buffer.from(buffer, byteOffset, byteLength).toString("base64");
    return { source: { bytes }, mediaType };
  }
  if (source.case === "url" && source.value.startsWith("s3://"))
    return { source: { s3Location: { uri: source.value } }, mediaType };
  const [, type, bytes] = source.case === "url" ? (DATA_URL.exec(source.value) ?? []) : [];
  if (type !== undefined && bytes !== undefined) return { source: { bytes }, mediaType: mediaType || type };
  if (source.case === "url")
    wrong.push({
      field: `${path}.url`,
      description:
        "the provider fetches nothing from the web: send data, a data: URL in base64 or an s3:// URL",
    });
  else if (source.case === "fileId")
    wrong.push({
      field: `${path}.file_id`,
      description: "the provider keeps no files: send data or an s3:// URL",
    });
  else wrong.push({ field: path, description: "has no source" });
  return { source: { bytes: "" }, mediaType };
}

/** By the media type, or else by how the file's name or its place on S3 ends. */
function formatOf<F extends string>(
  formats: Formats<F>,
  mediaType: string,
  { name, source }: Media,
  path: string,
  wrong: Violation[],
): F | undefined {
  const type = mediaType.split(";", 1)[0]?.trim().toLowerCase() ?? "";
  const ending = mediaType ? "" : endingOf(source.case === "url" ? source.value : name);
  const format = formats.get(type) ?? [...formats.values()].find((known) => known === ending);
  if (!format) {
    const known = [...formats.keys()].join(", ");
    wrong.push({
      field: `${path}.media_type`,
      description: mediaType ? `"${mediaType}" is none of ${known}` : `is required; one of ${known}`,
    });
  }
  return format;
}

function endingOf(name: string): string {
  const ending = /\.([a-z]+)$/.exec(name.toLowerCase())?.[1] ?? "";
  return ending === "jpg" ? "jpeg" : ending;
}

/** Bedrock takes letters, digits, single spaces, hyphens and brackets, and no name twice. */
function documentName(given: string, names: Set<string>): string {
  const plain = given
    .replace(/\.[A-Za-z]+$/, "")
    .replace(/[^A-Za-z0-9()[\]-]+/g, " ")
    .trim();
  const base = plain.slice(0, 190) || "document";
  let name = base;
  for (let count = 2; names.has(name); count++) name = `${base} (${count})`;
  names.add(name);
  return name;
}
