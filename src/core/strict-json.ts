/**
 * Reads a JSON value as a Protobuf message and, where it does not fit, names each place by its path.
 * It knows nothing of validation rules: a value that fits its type is accepted.
 */
import {
  type DescField,
  type DescMessage,
  type DescOneof,
  fromJson,
  type JsonReadOptions,
  type JsonValue,
  type MessageShape,
  type Registry,
  ScalarType,
} from "@bufbuild/protobuf";
import { isWrapperDesc } from "@bufbuild/protobuf/wkt";

/** One place that is wrong. */
export interface Violation {
  /** Path in proto names, such as `messages[2].role`; empty for the whole value. */
  readonly field: string;
  /** What is wrong and what would be right. Never holds a string that was given: it may be a secret. */
  readonly description: string;
}

export type StrictRead<T> = { readonly message: T } | { readonly violations: readonly Violation[] };

/** More faults than this are not looked for. */
const MAX_VIOLATIONS = 20;

/** The deepest JSON that is read; listeners refuse deeper bodies before they come here. */
const MAX_DEPTH = 256;

/**
 * The message, or what is wrong with the value: between 1 and 20 violations, in the order of the value.
 * Throws nothing. Names may be written in snake_case or lowerCamelCase. A value without a fault costs
 * one pass of the library's own reader; only a faulty one is searched.
 */
export function readStrict<D extends DescMessage>(
  schema: D,
  json: unknown,
  options?: { readonly registry?: Registry },
): StrictRead<MessageShape<D>> {
  // One level more than the JSON has, because the reader counts a Struct and its values apart.
  const read: Partial<JsonReadOptions> = { ...options, recursionLimit: MAX_DEPTH + 1 };
  try {
    return { message: fromJson(schema, json as JsonValue, read) };
  } catch {
    const search: Search = { read, violations: [] };
    locateInMessage(search, schema, json, "", 0);
    return { violations: search.violations };
  }
}

/** The path of `key` below `path`, quoted where it is not a plain name. */
export function keyPath(path: string, key: string): string {
  if (!/^[A-Za-z_][A-Za-z0-9_-]*$/.test(key)) return `${path}[${JSON.stringify(clip(key))}]`;
  return path === "" ? clip(key) : `${path}.${clip(key)}`;
}

interface Search {
  readonly read: Partial<JsonReadOptions>;
  readonly violations: Violation[];
}

function report(search: Search, field: string, description: string): void {
  if (search.violations.length < MAX_VIOLATIONS) search.violations.push({ field, description });
}

/** Reports at least one violation: `json` is known to be unreadable as `schema`. */
function locateInMessage(
  search: Search,
  schema: DescMessage,
  json: unknown,
  path: string,
  depth: number,
): void {
  if (depth > MAX_DEPTH || isLeaf(schema) || !isObject(json)) {
    report(search, path, depth > MAX_DEPTH ? TOO_DEEP : mismatch(expectedMessage(schema), json));
    return;
  }
  const found = search.violations.length;
  const spellings = new Map<DescField, string>();
  const members = new Map<DescOneof, string>();
  for (const [key, value] of Object.entries(json)) {
    if (search.violations.length >= MAX_VIOLATIONS) return;
    const field = schema.fields.find((candidate) => candidate.name === key || candidate.jsonName === key);
    if (field === undefined) {
      // An extension that the registry knows is readable though it is no field.
      if (!isReadable(search, schema, { [key]: value })) {
        report(search, keyPath(path, key), unknownField(schema, key));
      }
      continue;
    }
    const fieldPath = keyPath(path, field.name);
    const spelling = spellings.get(field);
    const rival = field.oneof && members.get(field.oneof);
    spellings.set(field, key);
    if (field.oneof && value !== null) members.set(field.oneof, field.name);
    if (spelling !== undefined) {
      report(search, fieldPath, `is given twice, as "${spelling}" and as "${key}"; give it once`);
    } else if (rival !== undefined && value !== null) {
      report(search, fieldPath, `cannot be given beside "${rival}"; give one of them`);
    } else if (!isReadable(search, schema, { [key]: value })) {
      locateInField(search, schema, field, key, value, fieldPath, depth + 1);
    }
  }
  if (search.violations.length === found)
    report(search, path, "cannot be read; its parts contradict each other");
}

function locateInField(
  search: Search,
  schema: DescMessage,
  field: DescField,
  key: string,
  value: unknown,
  path: string,
  depth: number,
): void {
  const isList = field.fieldKind === "list";
  if (field.fieldKind === "message") {
    locateInMessage(search, field.message, value, path, depth);
    return;
  }
  if (isList ? !Array.isArray(value) : field.fieldKind !== "map" || !isObject(value)) {
    report(search, path, mismatch(expectedField(field), value));
    return;
  }
  const isFine = (entries: readonly Entry[]) => {
    const part = isList ? entries.map(([, entry]) => entry) : Object.fromEntries(entries);
    return isReadable(search, schema, { [key]: part });
  };
  for (const [name, entry] of unreadable(Object.entries(value as object), isFine)) {
    if (search.violations.length >= MAX_VIOLATIONS) return;
    const entryPath = isList ? `${path}[${name}]` : keyPath(path, name);
    if (field.message) locateInMessage(search, field.message, entry, entryPath, depth + 1);
    else report(search, entryPath, mismatch(expectedValue(field), entry));
  }
}

type Entry = readonly [name: string, value: unknown];

/** The faulty among entries that are not fine together, by halving: a long run without a fault is read at once. */
function* unreadable(
  entries: readonly Entry[],
  isFine: (part: readonly Entry[]) => boolean,
): Generator<Entry> {
  if (entries.length <= 1) {
    yield* entries;
    return;
  }
  const middle = entries.length >> 1;
  for (const half of [entries.slice(0, middle), entries.slice(middle)]) {
    if (!isFine(half)) yield* unreadable(half, isFine);
  }
}

function isReadable(search: Search, schema: DescMessage, json: object): boolean {
  try {
    fromJson(schema, json as JsonValue, search.read);
    return true;
  } catch {
    return false;
  }
}

const TOO_DEEP = `is nested more than ${MAX_DEPTH} deep`;
/** Of a text that was cut in two between both, and so is no Unicode. */
export const HALF_CHARACTER =
  "has half of a character, a surrogate without its other one; cut texts between characters";

function mismatch(expected: string, value: unknown): string {
  const hasRightKind = expected === OBJECT ? isObject(value) : expected === LIST && Array.isArray(value);
  if (hasRightKind || expected === ANYTHING) return TOO_DEEP;
  if (expected === SCALARS[ScalarType.STRING] && typeof value === "string") return HALF_CHARACTER;
  const quotes = expected === SCALARS[ScalarType.STRING] && /number|boolean/.test(typeof value);
  return `must be ${expected}, got ${shown(value)}${quotes ? "; put it in quotes" : ""}`;
}

/** Numbers and booleans as they are, anything else by its kind alone. */
function shown(value: unknown): string {
  if (value === null) return "null";
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  if (Array.isArray(value)) return "a list";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

const OBJECT = "an object";
const LIST = "a list";
const ANYTHING = "a JSON value";

const SCALARS: Readonly<Record<ScalarType, string>> = {
  [ScalarType.DOUBLE]: "a number (double)",
  [ScalarType.FLOAT]: "a number (float)",
  [ScalarType.INT64]: "a whole number (int64)",
  [ScalarType.SINT64]: "a whole number (int64)",
  [ScalarType.SFIXED64]: "a whole number (int64)",
  [ScalarType.UINT64]: "a whole number of at least 0 (uint64)",
  [ScalarType.FIXED64]: "a whole number of at least 0 (uint64)",
  [ScalarType.INT32]: "a whole number (int32)",
  [ScalarType.SINT32]: "a whole number (int32)",
  [ScalarType.SFIXED32]: "a whole number (int32)",
  [ScalarType.UINT32]: "a whole number of at least 0 (uint32)",
  [ScalarType.FIXED32]: "a whole number of at least 0 (uint32)",
  [ScalarType.BOOL]: "true or false",
  [ScalarType.STRING]: "a string",
  [ScalarType.BYTES]: "a string of base64 (bytes)",
};

/** Well-known types have a JSON form of their own and no fields to descend into. */
const LEAVES: ReadonlyMap<string, string> = new Map([
  ["google.protobuf.Struct", OBJECT],
  ["google.protobuf.Value", ANYTHING],
  ["google.protobuf.ListValue", LIST],
  ["google.protobuf.Duration", 'a duration in seconds, such as "30s" or "0.5s"'],
  ["google.protobuf.Timestamp", 'a time, such as "2026-07-24T12:00:00Z"'],
  ["google.protobuf.FieldMask", 'a string of paths, such as "model,parameters.maxTokens"'],
  ["google.protobuf.Any", 'an object with "@type" of a known message'],
]);

function isLeaf(schema: DescMessage): boolean {
  return LEAVES.has(schema.typeName) || isWrapperDesc(schema);
}

function expectedMessage(schema: DescMessage): string {
  if (isWrapperDesc(schema)) return expectedField(schema.fields[0]);
  return LEAVES.get(schema.typeName) ?? OBJECT;
}

function expectedField(field: DescField): string {
  if (field.fieldKind === "list") return LIST;
  return field.fieldKind === "map" ? OBJECT : expectedValue(field);
}

/** A field's own value, or one entry of its list or map. */
function expectedValue(field: DescField): string {
  if (field.message) return expectedMessage(field.message);
  if (field.enum) return `one of ${field.enum.values.map((value) => value.name).join(", ")}`;
  return field.scalar === undefined ? "a value" : SCALARS[field.scalar];
}

function unknownField(schema: DescMessage, key: string): string {
  const names = schema.fields.map((field) => field.name);
  const nearest = nearestName(key, names);
  const hint = nearest === undefined ? `known here: ${names.join(", ")}` : `did you mean "${nearest}"?`;
  return `unknown field ${JSON.stringify(clip(key))}; ${hint}`;
}

/** The name that takes the fewest edits to reach, if two suffice and most of it remains. */
function nearestName(key: string, names: readonly string[]): string | undefined {
  const plain = (name: string) => name.replaceAll(/[_-]/g, "").toLowerCase();
  const wanted = plain(clip(key));
  const ranked = names.map((name) => ({ name, edits: editDistance(wanted, plain(name)) }));
  const best = ranked.sort((a, b) => a.edits - b.edits)[0];
  return best && best.edits <= Math.min(2, Math.floor(best.name.length / 2)) ? best.name : undefined;
}

/** Levenshtein's, one row at a time. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1];
    for (const [j, other] of [...b].entries()) {
      const substituted = (row[j] ?? 0) + (letter === other ? 0 : 1);
      next.push(Math.min(substituted, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Keys come from outside; an endless one must not fill the log. */
function clip(key: string): string {
  return key.length <= 64 ? key : `${key.slice(0, 63)}…`;
}
