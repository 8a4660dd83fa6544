/** A query string as the JSON of a message: `provider=openai` and dotted names such as `filter.model=x`. */
import type { DescField, DescMessage, JsonObject, JsonValue } from "@bufbuild/protobuf";
import { ScalarType } from "@bufbuild/protobuf";

/** Names that are not fields are kept, so that reading the message refuses them by name. */
export function queryToJson(schema: DescMessage, query: URLSearchParams): JsonObject {
  const json = empty();
  for (const [name, value] of query) put(schema, json, name.split("."), value);
  return json;
}

function put(schema: DescMessage, json: JsonObject, path: readonly string[], value: string): void {
  const [name = "", ...rest] = path;
  const field = schema.fields.find((candidate) => candidate.name === name || candidate.jsonName === name);
  // What was given as one text has no parts beside it.
  const isWhole = typeof json[name] === "string";
  if (rest.length > 0 && field?.fieldKind === "message" && !isWhole) {
    json[name] ??= empty();
    put(field.message, json[name] as JsonObject, rest, value);
  } else if (field?.fieldKind === "list") {
    json[name] = [...((json[name] as JsonValue[]) ?? []), value];
  } else {
    const whole = path.join(".");
    const parts = json[whole];
    // Both beside each other are neither, and refused by the field's name.
    json[whole] = typeof parts === "object" ? [parts, value] : jsonValueOf(field, value);
  }
}

/** Takes any name, `__proto__` too. */
function empty(): JsonObject {
  return Object.create(null);
}

/** Protobuf's JSON takes numbers as text, but not booleans. */
function jsonValueOf(field: DescField | undefined, text: string): JsonValue {
  if (field?.fieldKind !== "scalar" || field.scalar !== ScalarType.BOOL) return text;
  return text === "true" ? true : text === "false" ? false : text;
}
