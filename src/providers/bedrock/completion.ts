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
  const { generation, stop_reason, prompt_token_count, generation_token_count } = fields;
  return pieceOf(generation, stop_reason, prompt_token_count, generation_token_count);
}

function readTitan({ results, inputTextTokenCount }: Fields): Piece {
  const { outputText, completionReason, tokenCount } = fieldsOf(listOf(results)[0]);
  return pieceOf(outputText, completionReason, inputTextTokenCount, tokenCount);
}

function readTitanChunk(fields: Fields): Piece {
  const { outputText, completionReason, inputTextTokenCount, totalOutputTextTokenCount } = fields;
  return pieceOf(outputText, completionReason, inputTextTokenCount, totalOutputTextTokenCount);
}

/** It counts nothing in the body. */
function readMistral({ outputs }: Fields): Piece {
  const { text, stop_reason } = fieldsOf(listOf(outputs)[0]);
  return pieceOf(text, stop_reason);
}

/** Claude before its third generation: it counts nothing in the body either. */
function readClaude({ completion, stop_reason }: Fields): Piece {
  return pieceOf(completion, stop_reason);
}

function pieceOf(text: unknown, stopReason: unknown, input?: unknown, output?: unknown): Piece {
  return {
    text: textOf(text),
    stopReason: textOf(stopReason),
    figures: figures({ input: count(input), output: count(output) }),
  };
}
