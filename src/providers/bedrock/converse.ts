/** A whole reply of Converse, or of Nova's own format, as the events that a stream would have brought. */
import type { ConverseResponse, ConverseStreamMetadataEvent } from "@aws-sdk/client-bedrock-runtime";
import type { StreamResponse } from "../../../gen/ts/llmgateway/v1/chat_pb.ts";
import { event } from "../../core/reply.ts";
import type { Decoded } from "../dialect.ts";
import { textOf } from "../values.ts";
import { BlockDecoder, fieldsOf, listOf } from "./blocks.ts";
import { decodeFinishReason } from "./finish.ts";
import { converseFigures, type Figures, usageOf } from "./usage.ts";
import type { Received } from "./wire.ts";

/** @throws TypeError for a reply of the wrong shape */
export function decodeConverse(reply: Received<ConverseResponse>, headers: Figures): Decoded {
  const events: StreamResponse[] = [];
  const blocks = new BlockDecoder();
  for (const block of listOf(fieldsOf(fieldsOf(reply.output).message).content)) blocks.whole(block, events);
  const reason = textOf(reply.stopReason);
  if (!reason) throw new TypeError("a reply without a stopReason");
  events.push(event({ done: true, finishReason: decodeFinishReason(reason) }));
  const figures = { ...headers, ...converseFigures(fieldsOf(reply.usage)) };
  return { events, usage: usageOf(figures, serviceTier(reply)), servedModel: servedModel(reply) };
}

type Facts = Received<Pick<ConverseStreamMetadataEvent, "trace" | "serviceTier" | "performanceConfig">>;

/** Latency that is optimised has a price of its own, as a tier has. */
export function serviceTier({ serviceTier, performanceConfig }: Facts): string {
  const tier = serviceTier?.type;
  const latency = performanceConfig?.latency;
  return String(tier || (latency && latency !== "standard" ? latency : ""));
}

/** Only a prompt router says whom it asked. */
export function servedModel({ trace }: Facts): string {
  const id = trace?.promptRouter?.invokedModelId;
  return typeof id === "string" ? id : "";
}
