/** OpenAI's files, as far as batches need them: uploaded as a form, described, and read. */
import type { FileObject } from "openai/resources/files";
import type { StoredFile } from "../batches.ts";
import type { Exchange } from "../exchange.ts";
import type { Stage } from "../format.ts";
import { randomAlphanumeric } from "../random.ts";
import { Refusal } from "./errors.ts";

/** Throws Refusal for a form without a file or a purpose. */
export async function uploadFile(exchange: Exchange, { batches }: Stage): Promise<FileObject> {
  const form = await formOf(exchange);
  const [file, purpose] = [form?.get("file"), form?.get("purpose")];
  if (!(file instanceof File)) throw missing("file");
  if (typeof purpose !== "string") throw missing("purpose");
  const stored = {
    id: `file-${randomAlphanumeric(exchange.arrival.random, 22)}`,
    name: file.name,
    purpose,
    createdAtMs: Date.now(),
    content: await file.text(),
  };
  batches.files.set(stored.id, stored);
  return describeFile(stored);
}

/** Throws Refusal 404. */
export function findFile(id: string, { batches }: Stage): StoredFile {
  const file = batches.files.get(id);
  if (file === undefined) throw new Refusal(404, `No such File object: ${id}`, null, "id");
  return file;
}

export function describeFile({ id, name, purpose, createdAtMs, content }: StoredFile): FileObject {
  return {
    id,
    object: "file",
    bytes: Buffer.byteLength(content),
    created_at: Math.floor(createdAtMs / 1000),
    filename: name,
    purpose: purpose as FileObject["purpose"],
    status: "processed",
  };
}

async function formOf(exchange: Exchange): Promise<FormData | undefined> {
  const body = await exchange.body();
  const type = exchange.headers["content-type"] ?? "";
  try {
    return await new Response(body, { headers: { "content-type": type } }).formData();
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

function missing(param: string): Refusal {
  return new Refusal(400, `'${param}' is a required property`, null, param);
}
