/** Anthropic's whole reply, as the events that its stream would have brought. */
import type { Message } from "@anthropic-ai/sdk/resources/messages";
import type { StreamResponse } from "../../../gen/ts/llmgateway/v1/chat_pb.ts";
import { event } from "../../core/reply.ts";
import type { Decoded } from "../dialect.ts";
import { malformed, parseObject } from "../malformed.ts";
import { parseExactly } from "../raw_json.ts";
import { textOf } from "../values.ts";
import { classifyInReply } from "./classify.ts";
import { ContentDecoder } from "./content.ts";
import { decodeFinishReason } from "./finish.ts";
import { decodeUsage } from "./usage.ts";

type Reply = Partial<Pick<Message, "content" | "model" | "stop_reason" | "usage">>;

/** @throws Failure `malformed_reply`, or what an error inside a reply with status 200 stands for */
export function decodeReply(body: string): Decoded {
  // The arguments of calls are written again as text.
  const reply: Reply = parseObject(body, parseExactly);
  const failure = classifyInReply(reply);
  if (failure) throw failure;
  try {
    return {
      events: eventsOf(reply),
      usage: reply.usage ? decodeUsage(reply.usage, "measured") : undefined,
      servedModel: textOf(reply.model),
    };
  } catch (error) {
    if (error instanceof TypeError) throw malformed(error.message, body, error);
    throw error;
  }
}

function eventsOf({ content, stop_reason }: Reply): StreamResponse[] {
  if (!Array.isArray(content)) throw new TypeError("a reply without content");
  const events: StreamResponse[] = [];
  const decoder = new ContentDecoder();
  content.forEach((block, index) => {
    decoder.start(index, block, events);
    decoder.stop(index, events);
  });
  events.push(event({ done: true, finishReason: decodeFinishReason(textOf(stop_reason)) }));
  return events;
}
