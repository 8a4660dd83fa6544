/** The formats of models that go on with a text, on InvokeModel: what they are asked, and what they answer. */
import type { Fields } from "../json.ts";
import { asObject } from "../json.ts";
import type { Frame } from "../play.ts";
import type { Random } from "../random.ts";
import type { Script } from "../script.ts";
import { countTokens } from "../tokens.ts";
import { eventFrame } from "./frames.ts";
import { type BedrockRequest, directed, positive, promptOf } from "./request.ts";
import { padding } from "./stream.ts";

/** Why it stopped, and the figures, undefined when a fault leaves them out. */
export interface Outcome {
  readonly length: boolean;
  readonly inputTokens: number | undefined;
  readonly outputTokens: number | undefined;
}

/** A vendor's fields. */
export interface CompletionFormat {
  readonly prompt: string;
  /** By its dotted path. */
  readonly maxTokens: readonly [string, string?];
  readonly stop: readonly [string, string?];
  whole(text: string, outcome: Outcome): object;
  /** One token of a stream; the last one has the outcome. */
  chunk(text: string, place: number, input: number | undefined, outcome: Outcome | undefined): object;
}

const TITAN: CompletionFormat = {
  prompt: "inputText",
  maxTokens: ["textGenerationConfig", "maxTokenCount"],
  stop: ["textGenerationConfig", "stopSequences"],
  whole: (outputText, { length, inputTokens, outputTokens }) => ({
    inputTextTokenCount: inputTokens,
    results: [{ tokenCount: outputTokens, outputText, completionReason: length ? "LENGTH" : "FINISH" }],
  }),
  chunk: (outputText, place, input, outcome) => ({
    outputText,
    index: 0,
    totalOutputTextTokenCount: outcome ? outcome.outputTokens : null,
    completionReason: outcome ? (outcome.length ? "LENGTH" : "FINISH") : null,
    inputTextTokenCount: place === 0 ? input : null,
  }),
};

const LLAMA: CompletionFormat = {
  prompt: "prompt",
  maxTokens: ["max_gen_len"],
  stop: ["stop"],
  whole: (generation, { length, inputTokens, outputTokens }) => ({
    generation,
    prompt_token_count: inputTokens,
    generation_token_count: outputTokens,
    stop_reason: length ? "length" : "stop",
  }),
  chunk: (generation, place, input, outcome) => ({
    generation,
    prompt_token_count: place === 0 ? input : null,
    generation_token_count: input === undefined ? undefined : place + 1,
    stop_reason: outcome ? (outcome.length ? "length" : "stop") : null,
  }),
};

const MISTRAL: CompletionFormat = {
  prompt: "prompt",
  maxTokens: ["max_tokens"],
  stop: ["stop"],
  whole: (text, { length }) => ({ outputs: [{ text, stop_reason: length ? "length" : "stop" }] }),
  chunk: (text, _, __, outcome) => ({
    outputs: [{ text, stop_reason: outcome ? (outcome.length ? "length" : "stop") : null }],
  }),
};

const CLAUDE: CompletionFormat = {
  prompt: "prompt",
  maxTokens: ["max_tokens_to_sample"],
  stop: ["stop_sequences"],
  whole: (completion, { length }) => ({
    type: "completion",
    completion,
    stop_reason: length ? "max_tokens" : "stop_sequence",
    stop: length ? null : "\n\nHuman:",
  }),
  chunk: (completion, _, __, outcome) => ({
    type: "completion",
    completion,
    stop_reason: outcome ? (outcome.length ? "max_tokens" : "stop_sequence") : null,
    stop: outcome && !outcome.length ? "\n\nHuman:" : null,
  }),
};

/** Undefined for a body of no such format. */
export function completionFormat(model: string, body: Fields): CompletionFormat | undefined {
  if (typeof body.inputText === "string") return TITAN;
  if (typeof body.prompt !== "string") return undefined;
  if ("max_tokens_to_sample" in body) return CLAUDE;
  return /(^|[./])mistral\./.test(model) ? MISTRAL : LLAMA;
}

/** The last one who is asked in a prompt, as each of these models was taught to tell speakers apart. */
const QUESTION =
  /(?:Human:|User:|\[INST\](?:\s*<<SYS>>[\s\S]*?<<\/SYS>>)?)\s*((?:(?!Human:|User:|\[INST\])[\s\S])*?)\s*(?:\n*Assistant:|\n*Bot:|\[\/INST\])\s*$/;

/** Throws Refusal for a directive that cannot be meant, and a limit that is none. */
export function decodeCompletion(format: CompletionFormat, body: Fields): BedrockRequest {
  const prompt = String(body[format.prompt]);
  const { text, fault } = directed(QUESTION.exec(prompt)?.[1] ?? prompt);
  const stop = at(body, format.stop);
  return {
    fault,
    cache: undefined,
    serviceTier: undefined,
    prompt: promptOf(fault, {
      turns: [{ role: "user", text: prompt, tokens: countTokens(prompt) }],
      question: text,
      stop: Array.isArray(stop) ? stop.map(String).filter((sequence) => sequence !== "") : [],
      maxTokens: positive(at(body, format.maxTokens), format.maxTokens.join(".")),
    }),
  };
}

export function encodeCompletion(format: CompletionFormat, script: Script, counted: boolean): string {
  return JSON.stringify(format.whole(piecesOf(script).join(""), outcomeOf(script, counted)));
}

/** A token a chunk; Bedrock's own figures stand in the last one. */
export function* encodeChunks(
  format: CompletionFormat,
  script: Script,
  counted: boolean,
  random: Random,
): Generator<Frame> {
  const pieces = piecesOf(script);
  const outcome = outcomeOf(script, counted);
  for (const [place, text] of [...pieces, ""].entries()) {
    const last = place === pieces.length;
    const chunk = format.chunk(
      text,
      last ? pieces.length - 1 : place,
      outcome.inputTokens,
      last ? outcome : undefined,
    );
    const metrics = last && counted ? metricsOf(script.inputTokens, script.outputTokens) : {};
    yield {
      kind: last ? "finish" : "content",
      text: chunkFrame({ ...chunk, ...metrics }, random),
      outputTokens: last ? 0 : 1,
      reasoningTokens: 0,
    };
  }
}

export function metricsOf(inputTokenCount: number, outputTokenCount: number): object {
  return {
    "amazon-bedrock-invocationMetrics": {
      inputTokenCount,
      outputTokenCount,
      invocationLatency: 500,
      firstByteLatency: 200,
    },
  };
}

/** The model's own JSON is bytes to Bedrock. */
export function chunkFrame(value: object, random: Random): Buffer {
  const bytes = Buffer.from(JSON.stringify(value)).toString("base64");
  return eventFrame("chunk", { bytes, p: padding(random) });
}

function at(body: Fields, [first, second]: readonly [string, string?]): unknown {
  return second === undefined ? body[first] : asObject(body[first])[second];
}

function piecesOf({ choices: [choice] }: Script): string[] {
  return (choice?.pieces ?? []).flatMap((piece) => (piece.kind === "text" ? [piece.text] : []));
}

function outcomeOf({ choices: [choice], inputTokens, outputTokens }: Script, counted: boolean): Outcome {
  return {
    length: choice?.finish === "length",
    inputTokens: counted ? inputTokens : undefined,
    outputTokens: counted ? outputTokens : undefined,
  };
}
