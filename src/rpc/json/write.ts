/**
 * Messages as JSON text, by a writer that is compiled once for each type. What
 * it writes is what the library's `toJson` gives; it is here because that builds
 * an object first, which costs a quarter of a call's whole front.
 */
import { type DescField, type DescMessage, type Message, ScalarType, toJson } from "@bufbuild/protobuf";
import { JSON_OPTIONS } from "../../core/json.ts";

type Write = (value: unknown) => string;
type Fields = Readonly<Record<string, unknown>>;
/** The member with its name; empty when the field is not written. */
type WriteField = (message: Fields) => string;

const compiled = new WeakMap<DescMessage, Write>();

/** The writer of a type. Its text is `JSON.stringify` of `toJson` with `JSON_OPTIONS`. */
export function jsonWriter(schema: DescMessage): (message: Message) => string {
  return writerOf(schema);
}

function writerOf(schema: DescMessage): Write {
  const known = compiled.get(schema);
  if (known) return known;
  // The field of a Struct holds plain JSON already.
  if (schema.typeName === "google.protobuf.Struct") return JSON.stringify;
  if (schema.typeName.startsWith("google.protobuf.")) {
    return (message) => JSON.stringify(toJson(schema, message as Message, JSON_OPTIONS));
  }
  const fields: WriteField[] = [];
  const write: Write = (message) => {
    let text = "";
    for (const writeField of fields) {
      const member = writeField(message as Fields);
      if (member) text += text ? `,${member}` : member;
    }
    return `{${text}}`;
  };
  // Known before its fields are, for a message that can hold itself.
  compiled.set(schema, write);
  for (const field of schema.fields.toSorted((a, b) => a.number - b.number)) fields.push(fieldWriter(field));
  return write;
}

function fieldWriter(field: DescField): WriteField {
  const { localName, oneof } = field;
  const name = `${JSON.stringify(field.name)}:`;
  const write = valueWriter(field);
  if (oneof) {
    return (message) => {
      const { case: set, value } = message[oneof.localName] as { case?: string; value?: unknown };
      return set === localName ? name + write(value) : "";
    };
  }
  return (message) => {
    const value = message[localName];
    return value === undefined ? "" : name + write(value);
  };
}

function valueWriter(field: DescField): Write {
  switch (field.fieldKind) {
    case "scalar":
      return scalarWriter(field.scalar);
    case "message":
      return writerOf(field.message);
    case "list": {
      if (isFloat(field.scalar)) return floatsWriter;
      const write = elementWriter(field);
      return (list) => `[${(list as unknown[]).map(write).join(",")}]`;
    }
    case "map": {
      const write = elementWriter(field);
      const member = ([key, value]: [string, unknown]) => `${JSON.stringify(key)}:${write(value)}`;
      return (map) =>
        `{${Object.entries(map as object)
          .map(member)
          .join(",")}}`;
    }
    case "enum":
      throw new Error(`${field}: the contract has strings in place of enums`);
  }
}

/** Vectors have numbers by the thousand, and the platform writes such a list at once. */
const floatsWriter: Write = (list) =>
  (list as number[]).every(Number.isFinite)
    ? JSON.stringify(list)
    : `[${(list as number[]).map(writeFloat).join(",")}]`;

function isFloat(scalar: ScalarType | undefined): boolean {
  return scalar === ScalarType.DOUBLE || scalar === ScalarType.FLOAT;
}

function writeFloat(number: unknown): string {
  return Number.isFinite(number) ? JSON.stringify(number) : `"${number}"`;
}

function elementWriter(field: DescField & { fieldKind: "list" | "map" }): Write {
  if (field.message) return writerOf(field.message);
  if (field.scalar) return scalarWriter(field.scalar);
  throw new Error(`${field}: the contract has strings in place of enums`);
}

function scalarWriter(scalar: ScalarType): Write {
  switch (scalar) {
    case ScalarType.STRING:
      return JSON.stringify;
    case ScalarType.BYTES:
      return (bytes) => `"${Buffer.from(bytes as Uint8Array).toString("base64")}"`;
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return writeFloat;
    case ScalarType.INT64:
    case ScalarType.UINT64:
    case ScalarType.SINT64:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return (integer) => `"${integer}"`;
    default:
      return String;
  }
}
