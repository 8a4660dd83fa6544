/** Reads a YAML file as a JSON value, strictly. Problems are told by line and column, never by what stands there. */
import { readFileSync } from "node:fs";
import { LineCounter, parseDocument } from "yaml";
import type { Problem } from "./error.ts";

/** Undefined, and at least one problem more, when the file cannot be read; null where it holds nothing. */
export function readYamlFile(path: string, problems: Problem[]): unknown {
  try {
    return parse(readFileSync(path, "utf8"), path, problems);
  } catch (error) {
    const reason = error instanceof Error && "code" in error ? String(error.code) : "too many aliases";
    problems.push({ source: path, path: "", description: `cannot be read (${reason})` });
    return undefined;
  }
}

function parse(text: string, path: string, problems: Problem[]): unknown {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  // A tag that is not known is a mere warning to the parser, and a misunderstanding to us.
  const faults = [...document.errors, ...document.warnings];
  for (const fault of faults) {
    const { line, col } = lines.linePos(fault.pos[0]);
    // What follows a colon or a percent sign in the parser's messages quotes the file.
    const description = fault.message.replace(/(:\s| %).*$/s, "");
    problems.push({ source: path, path: "", description: `line ${line}, column ${col}: ${description}` });
  }
  return faults.length > 0 ? undefined : (document.toJS() ?? null);
}
