/** Values of a JSON file by their path, with the digits that were written. It knows no provider. */
import { unreadable } from "./export.ts";

export interface JsonNode {
  /** As errors name it, such as `usage.json: data[0].results[2]`. */
  readonly where: string;
  readonly isAbsent: boolean;
  at(name: string): JsonNode;
  /** @throws InputError when it is no list */
  list(): JsonNode[];
  /** Numbers by their digits; empty for null and what is not there. */
  text(): string;
}

/** One value, or one a line, as BigQuery exports them; a list of pages is its pages. */
export function readJson(text: string, name: string): JsonNode[] {
  const values = whole(text) ?? lines(text, name);
  return values.map((value, index) => nodeOf(value, values.length > 1 ? `${name}: [${index}]` : `${name}: `));
}

function whole(text: string): unknown[] | undefined {
  try {
    const value = exact(text);
    return Array.isArray(value) ? value : [value];
  } catch {
    return undefined;
  }
}

function lines(text: string, name: string): unknown[] {
  return text.split("\n").flatMap((line, index) => {
    if (line.trim() === "") return [];
    try {
      return [exact(line)];
    } catch (error) {
      throw unreadable(`${name}, line ${index + 1}`, `it is no JSON: ${(error as Error).message}`);
    }
  });
}

function nodeOf(value: unknown, where: string): JsonNode {
  return {
    where,
    isAbsent: value === undefined || value === null,
    at: (name) =>
      nodeOf(
        isObject(value) ? value[name] : undefined,
        where.endsWith(" ") ? where + name : `${where}.${name}`,
      ),
    list() {
      if (!Array.isArray(value)) throw unreadable(where, "is no list");
      return value.map((item, index) => nodeOf(item, `${where}[${index}]`));
    },
    text() {
      if (value === undefined || value === null) return "";
      if (typeof value === "string") return value;
      throw unreadable(where, "is no text and no number");
    },
  };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Numbers become their digits: a double would change an amount. */
function exact(text: string): unknown {
  return JSON.parse(text, (_, value, context?: { source?: string }) =>
    typeof value === "number" ? (context?.source ?? String(value)) : value,
  );
}
