/** A comparison as its reader has it: the events of all models, until their totals. It does not know the transport. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Client } from "@connectrpc/connect";
import { type CompareEvent, CompareRequestSchema } from "../../../gen/ts/llmgateway/v1/compare_pb.ts";
import type { GatewayService } from "../../../gen/ts/llmgateway/v1/gateway_pb.ts";
import { Call, type CallOptions, type CallSettings } from "./call.ts";
import { readStreamFailure } from "./error.ts";

export async function* compare(
  rpc: Client<typeof GatewayService>,
  settings: CallSettings,
  request: MessageInitShape<typeof CompareRequestSchema>,
  options: CallOptions,
): AsyncGenerator<CompareEvent, void, undefined> {
  const leaving = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, leaving.signal]) : leaving.signal;
  const call = new Call(CompareRequestSchema, request, { ...options, signal }, settings);
  let begun = false;
  let isOver = false;
  let broken: CompareEvent["error"];
  try {
    for await (const event of rpc.compare(call.message, call.attempt())) {
      begun = true;
      // The protocol's own error comes behind it.
      broken = event.error;
      isOver = event.totals !== undefined;
      if (!broken) yield event;
    }
    if (!isOver) throw new Error("it ended without its totals");
  } catch (cause) {
    throw broken ? readStreamFailure(broken, cause, call.requestId) : call.failure(cause, begun);
  } finally {
    leaving.abort();
    call.close();
  }
}
