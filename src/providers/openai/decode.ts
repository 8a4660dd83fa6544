/** OpenAI's whole chat reply, as the events that its stream would have brought. */
import type { ChatCompletion } from "openai/resources/chat/completions";
import type { StreamResponse } from "../../../gen/ts/llmgateway/v1/chat_pb.ts";
import { event } from "../../core/reply.ts";
import type { Decoded } from "../dialect.ts";
import { malformed, parseObject } from "../malformed.ts";
import { integer } from "../values.ts";
import { type ChoiceClass, ChoiceDecoder, type Delta, type ToolCallPiece } from "./choice.ts";
import { type SourceLists, sourcesOf } from "./citation.ts";
import { brokenOff, classifyInReply } from "./classify.ts";
import { decodeUsage } from "./usage.ts";

type Reply = Partial<Pick<ChatCompletion, "model" | "usage" | "service_tier">> &
  SourceLists & {
    readonly choices?: readonly WholeChoice[];
  };

interface WholeChoice {
  readonly index?: number;
  readonly message: Delta;
  readonly finish_reason?: string | null;
}

/** @throws Failure `malformed_reply`, or what an `error` inside a reply with status 200 stands for */
export function decodeReply(body: string, choiceClass: ChoiceClass = ChoiceDecoder): Decoded {
  const reply: Reply = parseObject(body);
  const failure = classifyInReply(reply);
  if (failure) throw failure;
  try {
    const choices = reply.choices ?? [];
    return {
      events: eventsOf(choices, reply, choiceClass),
      failure: brokenOff(choices),
      usage: reply.usage ? decodeUsage(reply.usage, reply.service_tier) : undefined,
      servedModel: typeof reply.model === "string" ? reply.model : "",
    };
  } catch (error) {
    if (error instanceof TypeError) throw malformed(error.message, body, error);
    throw error;
  }
}

function eventsOf(
  choices: readonly WholeChoice[],
  sources: SourceLists,
  choiceClass: ChoiceClass,
): StreamResponse[] {
  const events: StreamResponse[] = [];
  let first: ChoiceDecoder | undefined;
  for (const { index = 0, message, finish_reason } of choices) {
    const choice = new choiceClass(integer(index));
    choice.read(indexed(message), finish_reason, events);
    if (choices.length > 1) events.push(event({ index, finishReason: choice.finishReason }));
    first ??= choice;
  }
  if (!first) throw new TypeError("a reply without a choice");
  if (!first.cited) for (const citation of sourcesOf(sources)) events.push(event({ citation }));
  events.push(event({ done: true, finishReason: first.finishReason }));
  return events;
}

/** In a message the place of a tool call is its index. */
function indexed(message: Delta): Delta {
  if (!message.tool_calls) return message;
  return {
    ...message,
    tool_calls: message.tool_calls.map((call: ToolCallPiece, index) => ({ ...call, index })),
  };
}
