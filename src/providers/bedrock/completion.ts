/**
 * What InvokeModel answers for models that go on with a text: each vendor's reply, and each chunk of its
 * stream. Which one it is, its shape says, since the ARN of a model need not name the vendor.
 */
import { count, textOf } from "../values.ts";
import { fieldsOf, listOf } from "./blocks.ts";
import { type Figures, figures } from "./usage.ts";

/** A reply, or a chunk of it. */
export interface Piece {
  readonly text: string;
  /** As the vendor spells it; empty until the model stopped. */
  readonly stopReason: string;
  /** Those that stand in it; each replaces the one before. */
  readonly figures: Figures;
}

type Fields = Readonly<Record<string, unknown>>;

/**
 * Undefined for what is of none of the shapes that are known.
 *
 * @throws TypeError for a value of the wrong type
 */
export function readPiece(fields: Fields): Piece | undefined {
  for (const [key, read] of SHAPES) if (key in fields) return read(fields);
  return undefined;
}

/** By a field that only this shape has. */
const SHAPES: readonly (readonly [string, (fields: Fields) => Piece])[] = [
  ["generation", readLlama],
  ["results", readTitan],
  ["outputText", readTitanChunk],
  ["outputs", readMistral],
  ["completion", readClaude],
];

/** In a stream `prompt_token_count` stands in the first chunk alone, and the other one counts up. */
function readLlama(fields: Fields): Piece {
  return {
    text: textOf(fields.generation),
    stopReason: textOf(fields.stop_reason),
    figures: figures({
      input: count(fields.prompt_token_count),
      output: count(fields.generation_token_count),
    }),
  };
}

function readTitan(fields: Fields): Piece {
  const result = fieldsOf(listOf(fields.results)[0]);
  return {
    text: textOf(result.outputText),
    stopReason: textOf(result.completionReason),
    figures: figures({ input: count(fields.inputTextTokenCount), output: count(result.tokenCount) }),
  };
}

function readTitanChunk(fields: Fields): Piece {
  return {
    text: textOf(fields.outputText),
    stopReason: textOf(fields.completionReason),
    figures: figures({
      input: count(fields.inputTextTokenCount),
      output: count(fields.totalOutputTextTokenCount),
    }),
  };
}

function readMistral(fields: Fields): Piece {
  const output = fieldsOf(listOf(fields.outputs)[0]);
  return { text: textOf(output.text), stopReason: textOf(output.stop_reason), figures: {} };
}

/** Claude before its third generation: it counts nothing in the body. */
function readClaude(fields: Fields): Piece {
  return { text: textOf(fields.completion), stopReason: textOf(fields.stop_reason), figures: {} };
}
