/** Bedrock's whole replies, to Converse and to InvokeModel, as the events that a stream would have brought. */
import type { IncomingHttpHeaders } from "node:http";
import { event } from "../../core/reply.ts";
import { decodeReply as decodeMessage } from "../claude/decode.ts";
import type { Decoded } from "../dialect.ts";
import { malformed, parseObject } from "../malformed.ts";
import { parseExactly } from "../raw_json.ts";
import { fieldsOf } from "./blocks.ts";
import { classify } from "./classify.ts";
import { type Piece, readPiece } from "./completion.ts";
import { decodeConverse } from "./converse.ts";
import { decodeFinishReason } from "./finish.ts";
import { type Figures, headerFigures, headerTier, usageOf } from "./usage.ts";

/** @throws Failure `malformed_reply`, or what an exception inside a reply with status 200 stands for */
export function decodeReply(body: string, headers: IncomingHttpHeaders): Decoded {
  if (headers["x-amzn-errortype"]) throw classify(200, headers, body);
  const reply = fieldsOf(parseObject(body, parseExactly));
  const tier = headerTier(headers);
  if (reply.type === "message") return servedAt(tier, decodeMessage(body));
  const counted = headerFigures(headers);
  try {
    if ("output" in reply) return decodeConverse(reply, counted);
    const piece = readPiece(reply);
    if (piece) return servedAt(tier, decodeCompletion(piece, counted));
  } catch (error) {
    if (error instanceof TypeError) throw malformed(error.message, body, error);
    throw error;
  }
  throw malformed("a reply in no format that is known", body);
}

/** What the headers say of it goes before what the model says. */
function servedAt(serviceTier: string, decoded: Decoded): Decoded {
  const { usage } = decoded;
  return usage && serviceTier ? { ...decoded, usage: { ...usage, serviceTier } } : decoded;
}

/** The body's figures go before those of the headers, which say the same where there are both. */
function decodeCompletion({ text, stopReason, figures }: Piece, headers: Figures): Decoded {
  if (!stopReason) throw new TypeError("a reply without a reason to stop");
  const said = text ? [event({ token: text })] : [];
  return {
    events: [...said, event({ done: true, finishReason: decodeFinishReason(stopReason) })],
    usage: usageOf({ ...headers, ...figures }),
    servedModel: "",
  };
}
