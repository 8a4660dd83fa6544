/** The committed OpenAPI document, as the judge of what goes over the wire. */
import { readFileSync } from "node:fs";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import formats from "ajv-formats";

interface Operation {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly security?: readonly unknown[];
  readonly parameters?: readonly { readonly name?: string }[];
  readonly requestBody?: unknown;
  readonly responses: Readonly<Record<string, Response>>;
}

interface Response {
  readonly $ref?: string;
  readonly description: string;
  readonly headers?: Readonly<Record<string, unknown>>;
  readonly content?: Readonly<Record<string, unknown>>;
}

interface Document {
  readonly info: { readonly version: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: {
    readonly responses: Readonly<Record<string, Response>>;
    readonly headers: Readonly<Record<string, unknown>>;
    readonly examples: Readonly<Record<string, { readonly value: unknown }>>;
  };
}

export const TEXT = readFileSync(
  new URL("../../gen/openapi/llmgateway.openapi.json", import.meta.url),
  "utf8",
);
export const DOCUMENT: Document = JSON.parse(TEXT);

/** A reply may grow, so its schemas are open; here a field that they do not have is one that was forgotten. */
function closed(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(closed);
  const copy = Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, closed(inner)]));
  if (copy.type === "object" && copy.properties) copy.additionalProperties ??= false;
  return copy;
}

const ajv = new Ajv2020({ allErrors: true, strictTypes: false, strictRequired: false });
formats.default(ajv, { formats: ["int32", "int64", "float", "double", "date-time"] });
// Schemas are found below these words, which are none of theirs.
ajv.addVocabulary(Object.keys(DOCUMENT));
ajv.addSchema(closed(DOCUMENT) as object, "openapi");
const validators = new Map<string, ValidateFunction>();

/** What is wrong with a value by the schema at this place of the document; empty when nothing is. */
export function objections(place: readonly string[], value: unknown): string[] {
  const pointer = place.map((step) => encodeURIComponent(step.replaceAll("~", "~0").replaceAll("/", "~1")));
  const ref = `openapi#/${pointer.join("/")}`;
  const validate = validators.get(ref) ?? ajv.compile({ $ref: ref });
  validators.set(ref, validate);
  if (validate(value)) return [];
  return (validate.errors ?? []).map((error) => `${error.instancePath} ${error.message}`);
}

export function requestObjections(path: string, body: unknown): string[] {
  return objections(["paths", path, "post", "requestBody", "content", "application/json", "schema"], body);
}

export interface Described {
  readonly response: Response;
  /** Of the schema that goes with a content type. */
  schemaOf(contentType: string): readonly string[];
}

/** What the document says of this answer to this request; undefined when it says nothing. */
export function describedReply(verb: string, path: string, status: number): Described | undefined {
  const given = DOCUMENT.paths[path]?.[verb.toLowerCase()]?.responses[status];
  if (!given) return undefined;
  const name = given.$ref?.split("/").at(-1);
  const response = name === undefined ? given : DOCUMENT.components.responses[name];
  if (!response) return undefined;
  const place =
    name === undefined
      ? ["paths", path, verb.toLowerCase(), "responses", String(status)]
      : ["components", "responses", name];
  return { response, schemaOf: (contentType) => [...place, "content", contentType, "schema"] };
}
