/**
 * A provider inside the process, for trying things out: it says the same to the
 * same request, in words that name it as a mock, and counts a token a word.
 */
import type { ChatRequest, StreamResponse } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { AttemptCall, Service } from "../core/call.ts";
import { type Batch, event } from "../core/reply.ts";
import { usage } from "../core/usage.ts";

export function mockProvider(): Service<AttemptCall> {
  return async (call) => {
    const words = wordsOf(`This is the mock provider. You said: ${lastUserText(call.request)}`);
    const limit = call.maxTokens ?? call.request.parameters?.maxTokens ?? words.length;
    const said = words.slice(0, limit);
    call.attempt.usage = usage("measured", {
      inputTokens: call.request.messages.reduce((sum, message) => sum + wordsOf(message.content).length, 0),
      outputTokens: said.length,
    });
    call.attempt.servedModel = call.target.model;
    return { events: speak(said, said.length < words.length ? "length" : "stop") };
  };
}

/** Words with the space before them, so that they join to the text. */
function wordsOf(text: string): string[] {
  return text.match(/\s*\S+/g) ?? [];
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
