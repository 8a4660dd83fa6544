/** Encodes a script as Google's whole reply, and the parts that it shares with the stream: head, parts and usage. */
import type { Candidate, Part } from "@google/genai";
import type { Arrival } from "../exchange.ts";
import type { AcceptedInput } from "../play.ts";
import { hashText, mulberry32, randomAlphanumeric } from "../random.ts";
import type { Choice, Script } from "../script.ts";
import { splitWords } from "../tokens.ts";
import { pretty } from "./errors.ts";
import { generationOf } from "./models.ts";
import type { ContentRequest } from "./request.ts";

/** What one reply is made of. */
export interface Reply {
  readonly request: ContentRequest;
  readonly choices: readonly ReplyChoice[];
  readonly input: AcceptedInput;
  /** In every element of a stream. */
  readonly head: object;
  /** False when a fault leaves the usage out. */
  readonly usage: boolean;
}

export interface ReplyChoice {
  readonly pieces: readonly ReplyPiece[];
  readonly finishReason: "STOP" | "MAX_TOKENS";
  readonly calls: boolean;
}

/** One part, with the tokens that it took to write. */
export interface ReplyPiece {
  readonly part: Part;
  readonly tokens: number;
  readonly thoughtTokens: number;
}

/** What was written so far. */
export interface Written {
  readonly said: number;
  readonly thought: number;
}

export function writeReply(
  request: ContentRequest,
  script: Script,
  input: AcceptedInput,
  arrival: Arrival,
  seed: number,
): Reply {
  const { random, ordinal } = arrival;
  const created = new Date(FIRST_CREATED_MS + ordinal * 1000).toISOString();
  return {
    request,
    choices: script.choices.map((choice) => ({
      pieces: piecesOf(choice, request, random, seed),
      finishReason: choice.finish === "length" ? "MAX_TOKENS" : "STOP",
      calls: choice.finish === "calls",
    })),
    input,
    head: {
      modelVersion: request.model,
      ...(request.api === "vertex" ? { createTime: created } : {}),
      responseId: randomAlphanumeric(random, 22),
    },
    usage: request.fault?.noUsage !== true,
  };
}

export function encodeReply(reply: Reply): string {
  const candidates = reply.choices.map((choice, index) => {
    const parts = joined(choice.pieces.map(({ part }) => part));
    return encodeCandidate(reply, index, parts, choice);
  });
  const all = reply.choices.flatMap(({ pieces }) => pieces);
  return pretty({ candidates, ...usageMetadata(reply, written(all), true), ...reply.head });
}

/** @param ended with what the choice is over */
export function encodeCandidate(
  { request }: Reply,
  index: number,
  parts: readonly Part[],
  ended: ReplyChoice | undefined,
): object {
  const content = parts.length > 0 ? { parts, role: "model" } : { role: "model" };
  const finished: Pick<Candidate, "finishMessage"> & { finishReason?: string } = {};
  if (ended) finished.finishReason = ended.finishReason;
  if (ended?.calls && isThinking(request)) finished.finishMessage = "Model generated function call(s).";
  // Older models leave out what is 0.
  return index === 0 && !isThinking(request) ? { content, ...finished } : { content, ...finished, index };
}

/** Until the end older models tell the prompt alone. What is 0 is left out. */
export function usageMetadata(reply: Reply, { said, thought }: Written, atEnd: boolean): object {
  if (!reply.usage) return {};
  const { api, serviceTier } = reply.request;
  const { inputTokens, cachedInputTokens } = reply.input;
  const counted = atEnd || isThinking(reply.request);
  const text = (tokenCount: number) => [{ modality: "TEXT", tokenCount }];
  return {
    usageMetadata: {
      promptTokenCount: inputTokens,
      ...(counted && said > 0 ? { candidatesTokenCount: said } : {}),
      totalTokenCount: inputTokens + (counted ? said + thought : 0),
      ...(cachedInputTokens > 0 ? { cachedContentTokenCount: cachedInputTokens } : {}),
      promptTokensDetails: text(inputTokens),
      ...(cachedInputTokens > 0 ? { cacheTokensDetails: text(cachedInputTokens) } : {}),
      ...(counted && !isThinking(reply.request) ? { candidatesTokensDetails: text(said) } : {}),
      ...(counted && thought > 0 ? { thoughtsTokenCount: thought } : {}),
      ...(api === "vertex" ? { trafficType: trafficType(serviceTier) } : { serviceTier }),
    },
  };
}

/** What Vertex AI says in place of the tier. */
function trafficType(serviceTier: string): string {
  return serviceTier === "standard" ? "ON_DEMAND" : `ON_DEMAND_${serviceTier.toUpperCase()}`;
}

export function written(pieces: readonly ReplyPiece[]): Written {
  let [said, thought] = [0, 0];
  for (const { tokens, thoughtTokens } of pieces) {
    said += tokens - thoughtTokens;
    thought += thoughtTokens;
  }
  return { said, thought };
}

/** Models since 2.5 think, and sign what they do; since 3 they also give ids to calls. */
export function isThinking({ model }: ContentRequest): boolean {
  return generationOf(model) >= 2.5;
}

const FIRST_CREATED_MS = 1_750_000_000_000;

function piecesOf(choice: Choice, request: ContentRequest, random: () => number, seed: number): ReplyPiece[] {
  const pieces = thoughtPieces(choice.reasoningTokens, request.showsThoughts);
  for (const piece of choice.pieces) {
    if (piece.kind === "text") pieces.push({ part: { text: piece.text }, tokens: 1, thoughtTokens: 0 });
  }
  let signed = false;
  for (const { call, name } of choice.pieces.filter((piece) => piece.kind === "call")) {
    const args = choice.pieces.flatMap((piece) =>
      piece.kind === "arguments" && piece.call === call ? [piece.text] : [],
    );
    const tokens = args.length + 1;
    const value = parsed(args.join(""));
    // A call that was cut off is written and not shown.
    if (value === undefined) pieces.push({ part: { text: "" }, tokens, thoughtTokens: 0 });
    else {
      const id = generationOf(request.model) >= 3 ? { id: randomAlphanumeric(random, 8).toLowerCase() } : {};
      const sealed =
        isThinking(request) && !signed ? { thoughtSignature: sealOf(`${name}${call}`, seed) } : {};
      pieces.push({
        part: { functionCall: { name, args: value, ...id }, ...sealed },
        tokens,
        thoughtTokens: 0,
      });
      signed = true;
    }
  }
  if (generationOf(request.model) >= 3 && choice.finish === "stop") {
    pieces.push({
      part: { text: "", thoughtSignature: sealOf("answer", seed) },
      tokens: 0,
      thoughtTokens: 0,
    });
  }
  return pieces;
}

const THOUGHTS = splitWords(
  " The question is plain, and so the answer can be. Nothing has to be looked up for it; every word is known.",
);

function thoughtPieces(tokens: number, shown: boolean): ReplyPiece[] {
  if (tokens === 0) return [];
  if (!shown) return [{ part: { text: "" }, tokens, thoughtTokens: tokens }];
  const words = Array.from({ length: tokens }, (_, index) => THOUGHTS[index % THOUGHTS.length] ?? "");
  return words.map((text, index) => ({
    part: { text: index === 0 ? text.trimStart() : text, thought: true },
    tokens: 1,
    thoughtTokens: 1,
  }));
}

/** What the provider signs with; only that it comes back unchanged matters. */
function sealOf(signed: string, seed: number): string {
  return `${randomAlphanumeric(mulberry32(hashText(signed, seed)), 142)}==`;
}

function parsed(json: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

/** Texts that follow each other are one part, until one is signed. */
function joined(parts: readonly Part[]): Part[] {
  const whole: Part[] = [];
  for (const part of parts) {
    const last = whole.at(-1);
    const goesOn = last?.text !== undefined && !last.thoughtSignature && last.thought === part.thought;
    if (goesOn && part.text !== undefined)
      whole.splice(-1, 1, { ...last, ...part, text: last.text + part.text });
    else if (part.text !== "" || part.thoughtSignature) whole.push(part);
  }
  return whole;
}
