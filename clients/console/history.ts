/** Which messages go out with the next question. It knows neither the page nor the gateway. */
import { create } from "@bufbuild/protobuf";
import { type Message, MessageSchema } from "../../gen/ts/llmgateway/v1/message_pb.ts";

/** One question, or the results of tools, and what came of it. */
export interface Exchange {
  readonly asked: readonly Message[];
  /** Absent when nothing was said, or the call failed. */
  readonly answer: Message | undefined;
}

/**
 * What failed is left out, so that no question stands there without its answer. So are calls of tools whose results
 * were never given: providers refuse a conversation that lacks them.
 */
export function history(system: string, before: readonly Exchange[], asked: readonly Message[]): Message[] {
  const said = before.flatMap((exchange, index): readonly Message[] => {
    const next = before[index + 1]?.asked ?? asked;
    const answer = next[0]?.role === "tool" ? exchange.answer : withoutCalls(exchange.answer);
    return answer ? [...exchange.asked, answer] : [];
  });
  const opening = system.trim() ? [create(MessageSchema, { role: "system", content: system })] : [];
  return [...opening, ...said, ...asked];
}

function withoutCalls(message: Message | undefined): Message | undefined {
  if (!message?.parts.some(({ part }) => part.case === "toolCall")) return message;
  if (!message.content) return undefined;
  return { ...message, parts: message.parts.filter(({ part }) => part.case !== "toolCall") };
}
