/**
 * A provider inside the process, for trying things out: it says the same to the
 * same request, in words that name it as a mock, and counts a token a word.
 */
import { createHash } from "node:crypto";
import type { ChatRequest, StreamResponse } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { EmbedRequest } from "../../gen/ts/llmgateway/v1/embed_pb.ts";
import type { AttemptCall, Service } from "../core/call.ts";
import { tellDropped } from "../core/droppable.ts";
import { type Batch, embedded, event, type Reply } from "../core/reply.ts";
import { usage } from "../core/usage.ts";

export function mockProvider(): Service<AttemptCall> {
  return async (call) => {
    const { request } = call;
    call.attempt.servedModel = call.target.model;
    return request.$typeName === "llmgateway.v1.ChatRequest" ? chat(call, request) : embed(call, request);
  };
}

function chat(call: AttemptCall, request: ChatRequest): Reply {
  const words = wordsOf(`This is the mock provider. You said: ${lastUserText(request)}`);
  const limit = call.maxTokens ?? request.parameters?.maxTokens ?? words.length;
  const said = words.slice(0, limit);
  call.attempt.usage = usage("measured", {
    inputTokens: request.messages.reduce((sum, message) => sum + wordsOf(message.content).length, 0),
    outputTokens: said.length,
  });
  return { events: speak(said, said.length < words.length ? "length" : "stop") };
}

const DIMENSIONS = 256;

function embed(call: AttemptCall, { input, inputType, dimensions = DIMENSIONS }: EmbedRequest): Reply {
  if (inputType) tellDropped("input_type", call.tally);
  call.attempt.usage = usage("measured", {
    inputTokens: input.reduce((sum, text) => sum + wordsOf(text).length, 0),
  });
  return embedded(
    input.map((text, index) => ({
      $typeName: "llmgateway.v1.Embedding",
      index,
      values: direction(text, dimensions),
    })),
  );
}

/** A vector of length 1: always the same for the same text, and far from that of any other. */
function direction(text: string, dimensions: number): number[] {
  const bytes = createHash("shake256", { outputLength: 4 * dimensions })
    .update(text)
    .digest();
  const values = Array.from({ length: dimensions }, (_, at) => bytes.readInt32LE(4 * at));
  const length = Math.hypot(...values);
  return values.map((value) => value / length);
}

/** Words with the space before them, so that they join to the text. */
function wordsOf(text: string): string[] {
  // What no word follows would be gone through anew from each of its spaces.
  return text.trimEnd().match(/\s*\S+/g) ?? [];
}

async function* speak(words: readonly string[], finishReason: string): AsyncGenerator<Batch> {
  for (const word of words) yield [event({ token: word })];
  const last: StreamResponse = event({ done: true, finishReason });
  yield [last];
}

function lastUserText(request: ChatRequest): string {
  const message = request.messages.findLast((message) => message.role === "user");
  const texts = message?.parts.flatMap(({ part }) => (part.case === "text" ? [part.value] : [])) ?? [];
  return [message?.content ?? "", ...texts].join(" ").trim();
}
