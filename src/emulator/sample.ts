/** A JSON value that satisfies a JSON Schema, chosen by fixed rules. It validates nothing and resolves local references only. */

/** Which properties of an object are filled in; `all` falls back to `required` where a schema contains itself. */
export type Filled = "required" | "all";

type Schema = Readonly<Record<string, unknown>>;

const DEEPEST = 6;

/** `name` flavours strings: a property `city` becomes "sample city". A schema that is no object yields "sample …". */
export function sampleJson(schema: unknown, filled: Filled, name = "value"): unknown {
  return sampleOf(schema, { root: asSchema(schema), filled, depth: 0, name });
}

interface Place {
  readonly root: Schema;
  readonly filled: Filled;
  readonly depth: number;
  readonly name: string;
}

function sampleOf(value: unknown, place: Place): unknown {
  const schema = asSchema(value);
  const below = { ...place, depth: place.depth + 1 };
  if (place.depth > 4 * DEEPEST) return null;
  if (typeof schema.$ref === "string") return sampleOf(resolve(place.root, schema.$ref), below);
  if ("const" in schema) return schema.const;
  for (const key of ["enum", "examples"]) {
    const offered = schema[key];
    if (Array.isArray(offered) && offered.length > 0) return offered[0];
  }
  if ("default" in schema) return schema.default;
  const merged = Array.isArray(schema.allOf) ? mergeAll(schema.allOf, schema, place.root) : schema;
  const variants = merged.anyOf ?? merged.oneOf;
  if (Array.isArray(variants) && variants.length > 0 && merged.type === undefined)
    return sampleOf(variants[0], below);
  return sampleOfType(typeOf(merged), merged, place);
}

function sampleOfType(type: string, schema: Schema, place: Place): unknown {
  switch (type) {
    case "object":
      return sampleObject(schema, place);
    case "array": {
      const least = typeof schema.minItems === "number" ? schema.minItems : place.depth < DEEPEST ? 1 : 0;
      return Array.from({ length: least }, () =>
        sampleOf(schema.items, { ...place, depth: place.depth + 1 }),
      );
    }
    case "integer":
    case "number":
      return sampleNumber(schema, type === "integer");
    case "boolean":
      return true;
    case "null":
      return null;
    default:
      return sampleString(schema, place.name);
  }
}

function sampleObject(schema: Schema, place: Place): Record<string, unknown> {
  const properties = asSchema(schema.properties);
  const required = Array.isArray(schema.required) ? schema.required.map(String) : [];
  const names = place.filled === "all" && place.depth < DEEPEST ? Object.keys(properties) : required;
  return Object.fromEntries(
    names.map((name) => [name, sampleOf(properties[name], { ...place, depth: place.depth + 1, name })]),
  );
}

function sampleNumber(schema: Schema, whole: boolean): number {
  const step = typeof schema.multipleOf === "number" ? schema.multipleOf : whole ? 1 : 0.5;
  const least =
    typeof schema.exclusiveMinimum === "number"
      ? schema.exclusiveMinimum + step
      : typeof schema.minimum === "number"
        ? schema.minimum
        : step;
  const most = typeof schema.maximum === "number" ? schema.maximum : least;
  return Math.ceil(Math.min(least, most) / step) * step;
}

const FORMATS: ReadonlyMap<unknown, string> = new Map([
  ["date-time", "2025-01-01T00:00:00Z"],
  ["date", "2025-01-01"],
  ["time", "00:00:00Z"],
  ["email", "sample@example.com"],
  ["uri", "https://example.com/"],
  ["uuid", "00000000-0000-4000-8000-000000000000"],
  ["ipv4", "192.0.2.1"],
]);

function sampleString(schema: Schema, name: string): string {
  const text = FORMATS.get(schema.format) ?? `sample ${name.replaceAll("_", " ")}`;
  const least = typeof schema.minLength === "number" ? schema.minLength : 0;
  const most = typeof schema.maxLength === "number" ? schema.maxLength : Number.POSITIVE_INFINITY;
  return text.padEnd(least, ".").slice(0, most);
}

function typeOf(schema: Schema): string {
  const type = Array.isArray(schema.type) ? schema.type.find((name) => name !== "null") : schema.type;
  if (typeof type === "string") return type;
  if ("properties" in schema) return "object";
  return "items" in schema ? "array" : "string";
}

function mergeAll(parts: readonly unknown[], schema: Schema, root: Schema): Schema {
  const resolved = parts.map((part) => {
    const candidate = asSchema(part);
    return typeof candidate.$ref === "string" ? asSchema(resolve(root, candidate.$ref)) : candidate;
  });
  const all = [...resolved, { ...schema, allOf: undefined }];
  const merged: Record<string, unknown> = Object.assign({}, ...all);
  merged.properties = Object.assign({}, ...all.map((part) => asSchema(asSchema(part).properties)));
  merged.required = all.flatMap((part) => {
    const required = asSchema(part).required;
    return Array.isArray(required) ? required : [];
  });
  return merged;
}

/** Follows a local JSON pointer such as `#/$defs/Address`. */
function resolve(root: Schema, reference: string): unknown {
  let found: unknown = root;
  for (const step of reference.replace(/^#\/?/, "").split("/")) {
    if (step !== "") found = asSchema(found)[step.replaceAll("~1", "/").replaceAll("~0", "~")];
  }
  return found;
}

function asSchema(value: unknown): Schema {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : {};
}
