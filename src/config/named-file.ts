/** Reads a file that the configuration names. What is in it, it does not know. */
import { readFileSync } from "node:fs";
import { ConfigError } from "./error.ts";

/** @throws ConfigError that names the file, and the field that names it */
export function readNamed(path: string, field: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const description = `cannot be read (${code}); ${field} names it`;
    throw new ConfigError([{ source: path, path: "", description }]);
  }
}
