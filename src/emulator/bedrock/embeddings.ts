/** InvokeModel's embeddings, as Titan makes them of one text and Cohere of several. */
import type { Fields } from "../json.ts";
import { countTokens } from "../tokens.ts";
import { embed } from "../vectors.ts";
import { Refusal } from "./errors.ts";

export interface EmbeddingFormat {
  readonly texts: readonly string[];
  readonly inputTokens: number;
  /** Of the texts as they are without what directs the emulator. */
  encode(texts: readonly string[], counted: boolean): string;
}

/** Undefined for models that make none. Throws Refusal for texts that are missing, too many or empty. */
export function embeddingFormat(model: string, body: Fields): EmbeddingFormat | undefined {
  if (model.includes("titan-embed-")) return titan(body);
  return model.includes("cohere.embed-") ? cohere(body) : undefined;
}

const TITAN_DIMENSIONS = 1_024;
const COHERE_DIMENSIONS = 1_024;
const COHERE_TEXTS = 96;
const COHERE_TYPES: readonly unknown[] = ["search_document", "search_query", "classification", "clustering"];

function titan({ inputText, dimensions }: Fields): EmbeddingFormat {
  if (typeof inputText !== "string" || inputText === "")
    throw new Refusal("Malformed input request: #/inputText: expected minLength: 1, actual: 0");
  const inputTokens = countTokens(inputText);
  return {
    texts: [inputText],
    inputTokens,
    encode: ([text = ""], counted) =>
      JSON.stringify({
        embedding: valuesOf(text, dimensions, TITAN_DIMENSIONS),
        inputTextTokenCount: counted ? inputTokens : undefined,
      }),
  };
}

/** Its tokens stand in the headers alone. */
function cohere({ texts, input_type: type, output_dimension: dimensions }: Fields): EmbeddingFormat {
  const given: unknown[] = Array.isArray(texts) ? texts : [];
  const wrong = given.length === 0 || given.length > COHERE_TEXTS || given.some((text) => !text);
  if (wrong) throw new Refusal(`texts must be an array of at least 1 and at most ${COHERE_TEXTS} texts`);
  if (!COHERE_TYPES.includes(type)) throw new Refusal("Malformed input request: #/input_type: is required");
  const all = given.map(String);
  return {
    texts: all,
    inputTokens: all.reduce((sum, text) => sum + countTokens(text), 0),
    encode: (texts) =>
      JSON.stringify({
        response_type: "embeddings_floats",
        embeddings: texts.map((text) => valuesOf(text, dimensions, COHERE_DIMENSIONS)),
        texts,
      }),
  };
}

function valuesOf(text: string, asked: unknown, usual: number): number[] {
  const dimensions = asked ?? usual;
  if (typeof dimensions !== "number" || !Number.isInteger(dimensions) || dimensions < 1 || dimensions > usual)
    throw new Refusal(`Malformed input request: ${dimensions} dimensions`);
  return Array.from(embed(text, dimensions), (value) => Number(value.toPrecision(8)));
}
