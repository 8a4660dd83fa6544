/**
 * The price catalog as a file: strict JSON that becomes a message, or a list of every place that is wrong.
 * Knows the form, and not what the prices mean.
 */
import { createValidator } from "@bufbuild/protovalidate";
import { LineCounter, parseDocument } from "yaml";
import { type PriceCatalog, PriceCatalogSchema } from "../../gen/ts/llmgateway/config/v1/prices_pb.ts";
import { keyPath, readStrict, type Violation } from "../core/strict-json.ts";

/** @throws CatalogError */
export function readCatalogFile(json: string, name: string): PriceCatalog {
  return read(parse(json, name), name);
}

/** The catalog cannot be used; the message lists every place that is wrong, by its path in the file. */
export class CatalogError extends Error {
  override readonly name = "CatalogError";
  readonly violations: readonly Violation[];

  constructor(source: string, violations: readonly Violation[]) {
    const lines = violations.map(
      ({ field, description }) => `  ${source}: ${[field, description].filter(Boolean).join(": ")}`,
    );
    super(["the price catalog cannot be used:", ...lines].join("\n"));
    this.violations = violations;
  }
}

/** Keeps the rules that it has compiled. */
const validator = createValidator();

/** The file as a message: valid by its rules, and with both prices really written for every model. */
function read(file: unknown, name: string): PriceCatalog {
  const result = readStrict(PriceCatalogSchema, reshape(file));
  if ("violations" in result) throw new CatalogError(name, result.violations.map(inFile));
  const { message } = result;
  const verdict = validator.validate(PriceCatalogSchema, message);
  if (verdict.kind === "error") throw verdict.error;
  const violations = (verdict.violations ?? []).map((violation) =>
    inFile({
      field: violation.field.reduce((path, step) => {
        return keyPath(path, step.kind === "map_sub" ? String(step.key) : "name" in step ? step.name : "");
      }, ""),
      description: violation.message,
    }),
  );
  violations.push(...missingPrices(file));
  if (violations.length > 0) throw new CatalogError(name, violations);
  return message;
}

/** A price that is left out reads as 0, which would give the model away: so the file itself is asked. */
function missingPrices(file: unknown): Violation[] {
  const { providers } = file as { providers?: Record<string, Record<string, JsonObject> | null> };
  return Object.entries(providers ?? {}).flatMap(([provider, models]) =>
    Object.entries(models ?? {}).flatMap(([model, row]) => {
      const path = keyPath(keyPath("providers", provider), model);
      const { chat } = (row.capabilities ?? {}) as JsonObject;
      const sides = chat === false ? (["input"] as const) : (["input", "output"] as const);
      const tiers = (given(row, "context_tiers", "contextTiers") ?? []) as JsonObject[];
      return [
        [path, row] as const,
        ...tiers.map(({ prices }, index) => [`${path}.context_tiers[${index}].prices`, prices] as const),
        ...Object.entries(row.regions ?? {}).map(
          ([name, prices]) => [keyPath(`${path}.regions`, name), prices] as const,
        ),
      ].flatMap(([place, prices]) =>
        sides
          .filter(
            (side) => given(prices as JsonObject, `${side}_per_1k_tokens`, `${side}Per1kTokens`) === null,
          )
          .map((side) => ({ field: `${place}.${side}_per_1k_tokens`, description: MISSING })),
      );
    }),
  );
}

type JsonObject = Readonly<Record<string, unknown>>;

const MISSING =
  "is missing; write 0 only where the tokens are free, and leave out a model whose price is not known";

function given(object: JsonObject, snake: string, camel: string): unknown {
  return object[snake] ?? object[camel] ?? null;
}

/** In the file the models stand directly below the provider's name; in the message one level deeper. */
function reshape(file: unknown): unknown {
  if (!isObject(file) || !isObject(file.providers)) return file;
  const providers = Object.entries(file.providers).map(([name, models]) => [name, { models: models ?? {} }]);
  return { ...file, providers: Object.fromEntries(providers) };
}

function inFile({ field, description }: Violation): Violation {
  return {
    field: field.replace(/^(providers(?:\.[^.[]+|\["(?:[^"\\]|\\.)*"\]))\.models/, "$1"),
    description,
  };
}

/** JSON, and no name twice in an object: the platform's parser would take the last one in silence. */
function parse(json: string, name: string): unknown {
  let file: unknown;
  try {
    file = JSON.parse(json);
  } catch (error) {
    throw new CatalogError(name, [{ field: "", description: `is not JSON: ${(error as Error).message}` }]);
  }
  if (keysWritten(json) === keysKept(file)) return file;
  const lines = new LineCounter();
  const { errors } = parseDocument(json, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  const duplicates = errors.filter((error) => error.code === "DUPLICATE_KEY");
  if (duplicates.length === 0) return file;
  throw new CatalogError(
    name,
    duplicates.map(({ pos: [start] }) => ({
      field: "",
      description: `line ${lines.linePos(start).line}: ${QUOTED.exec(json.slice(start))?.[0]} is given twice in one object`,
    })),
  );
}

const QUOTED = /^"(?:[^"\\]|\\.)*"/;
const STRING = /"(?:[^"\\]|\\.)*"(\s*:)?/g;

/** Fewer keys than were written mean that one was lost. Counted, since to parse all of it as YAML takes far longer. */
function keysWritten(json: string): number {
  let keys = 0;
  for (const [, colon] of json.matchAll(STRING)) if (colon) keys++;
  return keys;
}

function keysKept(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  const values = Object.values(value);
  return values.reduce<number>(
    (keys, inner) => keys + keysKept(inner),
    Array.isArray(value) ? 0 : values.length,
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
