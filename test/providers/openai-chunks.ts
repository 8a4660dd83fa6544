/** Chunks of an OpenAI stream by hand, and what becomes of them. */
import type { StreamResponse } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { event } from "../../src/core/reply.ts";
import { OpenAiStream } from "../../src/providers/openai/stream.ts";

export function chunk(delta: object, rest: { finish_reason?: string; index?: number } = {}): string {
  return JSON.stringify({ model: "m", choices: [{ index: 0, delta, ...rest }] });
}

export const stop = chunk({}, { finish_reason: "stop" });
export const usage = { prompt_tokens: 5, completion_tokens: 7, total_tokens: 12 };

/** All events of a stream that is said to end after these. */
export function events(...datas: string[]): StreamResponse[] {
  const stream = new OpenAiStream();
  return [...datas.flatMap((data) => stream.push(data)), ...stream.end()];
}

export const done = (finishReason: string | undefined) => event({ done: true, finishReason });
