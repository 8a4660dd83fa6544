/** Claude's own format on InvokeModel: as Anthropic speaks it, but for what Bedrock puts around it. */
import { Refusal as ClaudeRefusal } from "../claude/errors.ts";
import { encodeReply, writeReply } from "../claude/reply.ts";
import { decodeRequest, type MessageRequest } from "../claude/request.ts";
import { encodeStream } from "../claude/stream.ts";
import type { Arrival } from "../exchange.ts";
import { asObject, type Fields } from "../json.ts";
import type { AcceptedInput, Frame } from "../play.ts";
import type { Script } from "../script.ts";
import { chunkFrame, metricsOf } from "./completion.ts";
import { Refusal } from "./errors.ts";

/** Throws Refusal in Anthropic's words. */
export function decodeMessage(body: Fields, model: string): MessageRequest {
  if (body.anthropic_version === undefined) throw new Refusal("anthropic_version: Field required");
  for (const field of ["model", "stream"])
    if (body[field] !== undefined) throw new Refusal(`${field}: Extra inputs are not permitted`);
  try {
    return decodeRequest(body, model);
  } catch (error) {
    if (error instanceof ClaudeRefusal) throw new Refusal(error.message);
    throw error;
  }
}

export function encodeMessage(
  request: MessageRequest,
  script: Script,
  input: AcceptedInput,
  arrival: Arrival,
): string {
  return encodeReply(writeReply(request, script, input, arrival, null));
}

/** Each event is a chunk; there are no pings, and Bedrock's own figures stand in the last one. */
export function* encodeMessageChunks(
  request: MessageRequest,
  script: Script,
  input: AcceptedInput,
  arrival: Arrival,
): Generator<Frame> {
  const reply = writeReply(request, script, input, arrival, null);
  for (const frame of encodeStream(reply, arrival.random)) {
    const [, data = "{}"] = /^data: (.*)$/m.exec(String(frame.text)) ?? [];
    const event = asObject(JSON.parse(data));
    if (event.type === "ping") continue;
    const fresh = reply.usage?.input_tokens ?? 0;
    const metrics = event.type === "message_stop" && reply.usage ? metricsOf(fresh, script.outputTokens) : {};
    yield { ...frame, text: chunkFrame({ ...event, ...metrics }, arrival.random) };
  }
}
