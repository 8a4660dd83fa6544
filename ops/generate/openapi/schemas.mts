/**
 * The messages as JSON schemas. What a field is, and whether it is written, is read off the descriptors; its words
 * and its rules are taken from what the plugin made. A message that is both sent and received has two schemas.
 */
import { create, type DescField, type DescMessage, getOption, hasOption } from "@bufbuild/protobuf";
import { FeatureSet_FieldPresence } from "@bufbuild/protobuf/wkt";
import { createValidator } from "@bufbuild/protovalidate";
import { field as fieldRules, message as messageRules } from "../../../gen/ts/buf/validate/validate_pb.ts";

export interface Schema {
  readonly type?: string | readonly string[];
  readonly format?: string;
  readonly description?: string;
  readonly required?: readonly string[];
  readonly properties?: Schemas;
  readonly items?: Schema;
  readonly additionalProperties?: Schema | boolean;
  readonly oneOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly [keyword: string]: unknown;
}

export type Schemas = Readonly<Record<string, Schema>>;

/** Requests are strict. Replies may grow: what they hold is promised, and nothing more is forbidden. */
export type Direction = "request" | "reply";

export interface MessageSchemas {
  readonly schemas: Schemas;
  ref(message: DescMessage, direction: Direction): Schema;
  /** A field of a request with its words, for a parameter of a query or a path. */
  field(message: DescMessage, name: string): Schema;
}

/** Keywords by which the plugin writes the rules of protovalidate. */
const RULES =
  /^(enum|const|pattern|uniqueItems|(min|max)(Length|Items|Properties)|(exclusiveM|m)(in|ax)imum)$/;

/** Types that have a JSON form of their own; what their comments say to programmers is left out. */
const LEAVES: Readonly<Record<string, Schema>> = {
  "google.protobuf.Timestamp": { type: "string", format: "date-time" },
  "google.protobuf.Struct": { type: "object", additionalProperties: true },
  "google.protobuf.Value": {},
  "google.protobuf.Duration": {
    type: "string",
    pattern: "^-?[0-9]+(\\.[0-9]{1,9})?s$",
    examples: ["2s", "0.5s"],
  },
};

/**
 * @param plugin the plugin's schemas, by the full names of the messages
 * @param additions schemas to be merged into those of requests, by their names; each message that has rules in CEL
 *   needs one
 */
export function messageSchemas(
  plugin: Schemas,
  additions: Schemas,
  requests: readonly DescMessage[],
  replies: readonly DescMessage[],
): MessageSchemas {
  const sent = reachable(requests);
  const received = reachable(replies);
  const nameOf = (message: DescMessage, direction: Direction) =>
    shortName(message) + (direction === "reply" && sent.has(message) ? "Reply" : "");
  const ref = (message: DescMessage, direction: Direction): Schema => ({
    $ref: `#/components/schemas/${nameOf(message, direction)}`,
  });
  const schemas: Record<string, Schema> = {};
  const add = (message: DescMessage, direction: Direction, schema: Schema) => {
    const name = nameOf(message, direction);
    if (schemas[name]) throw new Error(`two messages would be called ${name} in OpenAPI`);
    schemas[name] = schema;
  };
  const known = (message: DescMessage) => plugin[message.typeName] ?? {};
  for (const message of sent) {
    const addition = additions[shortName(message)];
    requireAddition(message, addition);
    add(message, "request", { ...requestSchema(message, known(message), ref), ...addition });
  }
  for (const message of received) add(message, "reply", replySchema(message, known(message), ref));
  const field = (message: DescMessage, name: string) => {
    const found = message.fields.find((candidate) => candidate.name === name);
    if (!found) throw new Error(`${message.typeName} has no field ${name}`);
    return fieldSchema(found, propertiesOf(known(message))[name] ?? {}, "request", ref);
  };
  return { schemas, ref, field };
}

/** Comments as Markdown: one line for each paragraph. The plugin leaves them as they stand in the proto. */
export function prose(text: string): string {
  const paragraphs = text.split(/\n\s*\n/).map((paragraph) => paragraph.replaceAll(/\s+/g, " ").trim());
  // Which numbers are free is for those who change the contract.
  return paragraphs.filter((paragraph) => !paragraph.startsWith("Field numbers")).join("\n\n");
}

type Ref = MessageSchemas["ref"];

function requestSchema(message: DescMessage, plugin: Schema, ref: Ref): Schema {
  const needed = neededFields(message);
  const choices = message.oneofs.map((oneof) => {
    const variants: Schema[] = oneof.fields.map(({ name }) => ({ title: name, required: [name] }));
    const mayBeUnset = !needed.has(oneof.name);
    return { oneOf: [...variants, ...(mayBeUnset ? [{ title: "none", not: { anyOf: variants } }] : [])] };
  });
  const required = message.fields.map(({ name }) => name).filter((name) => needed.has(name));
  return {
    ...objectSchema(message, plugin, "request", ref),
    ...(required.length > 0 ? { required } : {}),
    ...(choices.length > 1 ? { allOf: choices } : choices[0]),
    additionalProperties: false,
  };
}

function replySchema(message: DescMessage, plugin: Schema, ref: Ref): Schema {
  // As the gateway's JSON has it: zeros and empty lists are written, absent is what has a presence of its own.
  const written = message.fields.filter(({ presence }) => presence === FeatureSet_FieldPresence.IMPLICIT);
  const required = written.map(({ name }) => name);
  return {
    ...objectSchema(message, plugin, "reply", ref),
    ...(required.length > 0 ? { required } : {}),
  };
}

function objectSchema(message: DescMessage, plugin: Schema, direction: Direction, ref: Ref): Schema {
  const given = propertiesOf(plugin);
  const properties = message.fields.map((field) => [
    field.name,
    fieldSchema(field, given[field.name] ?? {}, direction, ref),
  ]);
  return { type: "object", ...described(plugin, direction), properties: Object.fromEntries(properties) };
}

function fieldSchema(field: DescField, plugin: Schema, direction: Direction, ref: Ref): Schema {
  const rules = direction === "request" ? pick(plugin, RULES) : {};
  const words = described(plugin, direction);
  switch (field.fieldKind) {
    case "list": {
      // The plugin repeats the rules of a list in those of its items.
      const { minItems: _min, maxItems: _max, uniqueItems: _unique, ...items } = plugin.items ?? {};
      return { type: "array", ...rules, ...words, items: valueSchema(field, items, direction, ref) };
    }
    case "map": {
      const values = typeof plugin.additionalProperties === "object" ? plugin.additionalProperties : {};
      return {
        type: "object",
        ...rules,
        ...words,
        ...(direction === "request" ? keyRules(field) : {}),
        additionalProperties: valueSchema(field, values, direction, ref),
      };
    }
    default:
      return { ...valueSchema(field, plugin, direction, ref), ...words };
  }
}

/** A field's own value, or one entry of its list or map. */
function valueSchema(field: DescField, plugin: Schema, direction: Direction, ref: Ref): Schema {
  if (field.message) return LEAVES[field.message.typeName] ?? ref(field.message, direction);
  const rules = direction === "request" ? pick(plugin, RULES) : {};
  const { type = "string", format } = plugin;
  if (format === "byte") return { type, contentEncoding: "base64", ...rules };
  if (format !== "int64") return { type, ...(format ? { format } : {}), ...rules };
  return direction === "request"
    ? { type: ["integer", "string"], format, ...rules }
    : { type: "string", format, pattern: "^-?[0-9]+$" };
}

/** The plugin has no word for the rules of a map's keys. */
function keyRules(field: DescField): Schema {
  const { type } = getOption(field, fieldRules);
  const rules = type.case === "map" ? type.value.keys?.type : undefined;
  if (rules?.case !== "string") return {};
  const { minLen, maxLen, pattern } = rules.value;
  return {
    propertyNames: {
      ...(minLen > 0n ? { minLength: Number(minLen) } : {}),
      ...(maxLen > 0n ? { maxLength: Number(maxLen) } : {}),
      ...(pattern ? { pattern } : {}),
    },
  };
}

/** Fields and oneofs without which not even an empty message is valid: their zero breaks a rule. */
function neededFields(message: DescMessage): ReadonlySet<string> {
  const { violations = [] } = createValidator().validate(message, create(message));
  return new Set(violations.flatMap(({ field: [first] }) => (first && "name" in first ? [first.name] : [])));
}

function requireAddition(message: DescMessage, addition: Schema | undefined): void {
  const inFields = message.fields.some(
    (field) => hasOption(field, fieldRules) && getOption(field, fieldRules).cel.length > 0,
  );
  const inMessage = hasOption(message, messageRules) && getOption(message, messageRules).cel.length > 0;
  if ((inFields || inMessage) && !addition) {
    throw new Error(`${message.typeName} has rules in CEL: say them as JSON schema in openapi.base.yaml`);
  }
}

function reachable(roots: readonly DescMessage[]): ReadonlySet<DescMessage> {
  const found = new Set<DescMessage>();
  const visit = (message: DescMessage) => {
    if (LEAVES[message.typeName] || found.has(message)) return;
    found.add(message);
    for (const { message: inner } of message.fields) if (inner) visit(inner);
  };
  for (const root of roots) visit(root);
  return found;
}

/** Without the package, which generated clients would repeat in every name. */
function shortName({ typeName, file }: DescMessage): string {
  return typeName.slice(file.proto.package.length + 1).replaceAll(".", "");
}

/** Wherever the plugin put them: those of a oneof stand in its branches. */
function propertiesOf({ properties = {}, allOf = [], oneOf = [] }: Schema): Schemas {
  return Object.assign({}, properties, ...[...allOf, ...oneOf].map(propertiesOf));
}

/** Rules that the plugin cannot write otherwise stand below the comment: a CEL rule with its words is worth reading. */
function described({ description = "" }: Schema, direction: Direction): Schema {
  const lines = description.split("\n").flatMap((line) => {
    const rule = /^[\w.]+ \/\/ (.+)$/.exec(line)?.[1];
    if (rule !== undefined) return direction === "request" ? ["", `${rule}.`] : [];
    return /^[a-z0-9_]+\.[a-z0-9_.]+ = /.test(line) ? [] : [line];
  });
  const text = prose(lines.join("\n"));
  return text ? { description: text } : {};
}

function pick(schema: Schema, keywords: RegExp): Schema {
  return Object.fromEntries(Object.entries(schema).filter(([keyword]) => keywords.test(keyword)));
}
