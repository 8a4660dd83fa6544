/** A JSONL file of requests: checked as a whole before anything is sent, then read in chunks. It sends nothing. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { fromJson, type JsonValue } from "@bufbuild/protobuf";
import { type ChatRequest, ChatRequestSchema } from "../../../gen/ts/llmgateway/v1/chat_pb.ts";
import { messageOf } from "../../../src/core/message.ts";
import { InputError } from "../input-error.ts";
import { decodeBody, type Translation } from "./request.ts";

export interface Item {
  readonly line: number;
  readonly customId: string;
  readonly request: ChatRequest;
}

export interface Input {
  readonly path: string;
  /** Another one for every other input and for options by which it would be sent otherwise. */
  readonly fingerprint: string;
  readonly customIds: ReadonlySet<string>;
  /** How many requests each chunk has. */
  readonly chunks: readonly number[];
}

export interface Splitting extends Translation {
  /** Most requests in a chunk. */
  readonly chunk: number;
}

/** A quarter of what a gateway takes by default, since JSON is not the form in which it is sent. */
const CHUNK_BYTES = 8 * 1024 * 1024;
const MAX_ID_LENGTH = 128;
const MAX_ERRORS = 10;

/** Reads all of it once. Throws an InputError that names the lines that are wrong. */
export async function inspect(path: string, options: Splitting): Promise<Input> {
  const hash = createHash("sha256").update(
    JSON.stringify([options.provider, options.extraBody, options.chunk]),
  );
  const customIds = new Set<string>();
  const errors: string[] = [];
  const chunks: number[] = [];
  let bytes = 0;
  for await (const { line, text } of linesOf(path)) {
    hash.update(text).update("\n");
    try {
      const { customId } = parse(text, line, options);
      if (customIds.has(customId)) throw new Error(`custom_id: "${customId}" is there already`);
      customIds.add(customId);
    } catch (error) {
      errors.push(`${path}:${line}: ${messageOf(error)}`);
      if (errors.length === MAX_ERRORS) break;
    }
    const size = Buffer.byteLength(text);
    const last = chunks.length - 1;
    const isFull = last < 0 || chunks[last] === options.chunk || bytes + size > CHUNK_BYTES;
    if (isFull) {
      chunks.push(1);
      bytes = size;
    } else {
      chunks[last] = (chunks[last] ?? 0) + 1;
      bytes += size;
    }
  }
  if (errors.length > 0) throw new InputError(errors.join("\n"));
  if (chunks.length === 0) throw new InputError(`${path}: there is no request in it`);
  return { path, fingerprint: hash.digest("hex"), customIds, chunks };
}

/** The requests again, chunk by chunk. */
export async function* chunksOf(
  path: string,
  { chunks }: Input,
  options: Translation,
): AsyncGenerator<readonly Item[], void, undefined> {
  let items: Item[] = [];
  let at = 0;
  for await (const { line, text } of linesOf(path)) {
    items.push(parse(text, line, options));
    if (items.length < (chunks[at] ?? 0)) continue;
    yield items;
    items = [];
    at++;
  }
}

function parse(text: string, line: number, options: Translation): Item {
  const row = JSON.parse(text) as { readonly [name: string]: JsonValue } | null;
  const { custom_id: customId, request, body, method = "POST", url = "/v1/chat/completions" } = row ?? {};
  if (typeof customId !== "string" || customId === "" || customId.length > MAX_ID_LENGTH)
    throw new Error(`custom_id: must be a text of 1 to ${MAX_ID_LENGTH} characters`);
  if (request !== undefined) return { line, customId, request: fromJson(ChatRequestSchema, request) };
  if (method !== "POST" || url !== "/v1/chat/completions")
    throw new Error("url: only POST /v1/chat/completions can be asked for");
  if (typeof body !== "object" || body === null || Array.isArray(body))
    throw new Error("body: is missing; a line has a body, or a request of the gateway's own form");
  return { line, customId, request: decodeBody(body, options) };
}

/** Without those that are empty. */
async function* linesOf(path: string): AsyncGenerator<{ readonly line: number; readonly text: string }> {
  let rest = "";
  let line = 0;
  const stream = createReadStream(path, "utf8");
  try {
    for await (const piece of stream as AsyncIterable<string>) {
      const lines = `${rest}${piece}`.split("\n");
      rest = lines.pop() ?? "";
      for (const text of lines) {
        line++;
        if (text.trim() !== "") yield { line, text: text.trim() };
      }
    }
  } catch (error) {
    throw new InputError(`${path}: ${messageOf(error)}`);
  }
  if (rest.trim() !== "") yield { line: line + 1, text: rest.trim() };
}
