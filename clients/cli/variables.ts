/** What `--var` says: `name=value` as it is, `name=@file` for what is in a file, `name=@-` for standard input. */
import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { messageOf } from "../../src/core/message.ts";
import { InputError } from "./input-error.ts";

/** A value that begins with `@` is written with two. */
export async function readVariables(
  given: Readonly<Record<string, string>> = {},
): Promise<Record<string, string>> {
  const variables: Record<string, string> = {};
  for (const [name, value] of Object.entries(given)) variables[name] = await said(name, value);
  return variables;
}

async function said(name: string, value: string): Promise<string> {
  if (!value.startsWith("@")) return value;
  const path = value.slice(1);
  if (path.startsWith("@")) return path;
  if (path === "-") return text(process.stdin);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(await readFile(path));
  } catch (error) {
    throw new InputError(`--var ${name}: ${path}: ${messageOf(error)}`);
  }
}
