/** Reads a JSON body from outside: bounded in bytes and in depth, with errors that say what to mend. */
import type { JsonValue } from "@bufbuild/protobuf";
import { Failure, invalidRequest } from "../../core/failure.ts";
import { decompressed } from "../compression.ts";
import type { NodeRequest } from "../node.ts";

export interface BodyLimits {
  readonly maxBytes: number;
  readonly maxDepth: number;
}

/** @throws Failure; the rest of a body that is too large is not read */
export async function readText(request: NodeRequest, { maxBytes }: BodyLimits): Promise<string> {
  requireJson(request);
  const bytes = await readBytes(request, maxBytes);
  const encoding = request.headers["content-encoding"]?.toLowerCase() ?? "";
  return decode(await decompressed(bytes, encoding, maxBytes));
}

/** @throws Failure */
export function parse(text: string, { maxDepth }: BodyLimits): JsonValue {
  if (text.trim() === "")
    throw invalidRequest([{ field: "", description: "the body is empty; send a JSON object" }]);
  requireDepth(text, maxDepth);
  try {
    return JSON.parse(text);
  } catch (error) {
    // V8 quotes the text around the fault, which may be anything: only the place is told.
    const place =
      error instanceof Error
        ? error.message.match(/position \d+( \(line \d+ column \d+\))?/)?.[0]
        : undefined;
    const where = place ? `, at ${place}` : "";
    throw invalidRequest([{ field: "", description: `the body is not valid JSON${where}` }]);
  }
}

function requireJson(request: NodeRequest): void {
  const type = request.headers["content-type"];
  if (type && /^application\/json(?:\s*;|$)/i.test(type)) return;
  throw new Failure(
    "unsupported_media_type",
    `send the header "content-type: application/json"${type ? `, not ${type}` : ""}`,
  );
}

function readBytes(request: NodeRequest, maxBytes: number): Promise<Buffer> {
  const tooLarge = () => new Failure("payload_too_large", `the body is larger than ${maxBytes} bytes`);
  if (Number(request.headers["content-length"]) > maxBytes) return Promise.reject(tooLarge());
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= maxBytes) chunks.push(chunk);
      else reject(tooLarge());
    });
    request.on("end", () => resolve(Buffer.concat(chunks, bytes)));
    request.on("error", (cause) => reject(new Failure("cancelled", "the caller left", { cause })));
    request.on("close", () => {
      if (!request.readableEnded) reject(new Failure("cancelled", "the caller left"));
    });
  });
}

const UTF8 = new TextDecoder("utf-8", { fatal: true });

function decode(bytes: Buffer): string {
  try {
    return UTF8.decode(bytes);
  } catch {
    throw invalidRequest([{ field: "", description: "the body is not UTF-8" }]);
  }
}

/** Before parsing, so that no parser meets what is nested without end. */
function requireDepth(text: string, maxDepth: number): void {
  if (hasMoreBrackets(text, maxDepth) && depthOf(text) > maxDepth) {
    throw invalidRequest([{ field: "", description: `the body is nested deeper than ${maxDepth} levels` }]);
  }
}

/** A body with few brackets cannot be deep, which is all that most of them cost here. */
function hasMoreBrackets(text: string, limit: number): boolean {
  let count = 0;
  for (const bracket of "{[") {
    for (let at = text.indexOf(bracket); at >= 0; at = text.indexOf(bracket, at + 1)) {
      if (++count > limit) return true;
    }
  }
  return false;
}

function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let index = 0; index < text.length; index++) {
    const character = text[index];
    if (character === "\\") index++;
    else if (character === '"') inString = !inString;
    else if (inString) continue;
    else if (character === "{" || character === "[") deepest = Math.max(deepest, ++depth);
    else if (character === "}" || character === "]") depth--;
  }
  return deepest;
}
