/**
 * The events of a call that is sent once, as its reader has them. Leaving the loop ends the call at the gateway. It knows
 * neither the RPC nor the transport.
 */
import type { DescMessage, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type { CallOptions as RpcOptions } from "@connectrpc/connect";
import type { StreamError } from "../../../gen/ts/llmgateway/v1/error_pb.ts";
import { Call, type CallOptions, type CallSettings } from "./call.ts";
import { readStreamFailure } from "./error.ts";

export interface Asked<Schema extends DescMessage, Event> {
  readonly schema: Schema;
  readonly request: MessageInitShape<Schema>;
  readonly options: CallOptions;
  readonly settings: CallSettings;
  open(message: MessageShape<Schema>, options: RpcOptions): AsyncIterable<Event>;
  /** Where the last event is known: a call that ends without it broke off, for that reason. */
  readonly end?: { isLast(event: Event): boolean; readonly missing: string };
}

/** Throws a GatewayError as its last; the event that tells of it is not given. */
export async function* eventsOf<
  Schema extends DescMessage,
  Event extends { error?: StreamError | undefined },
>({
  schema,
  request,
  options,
  settings,
  open,
  end,
}: Asked<Schema, Event>): AsyncGenerator<Event, void, undefined> {
  const leaving = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, leaving.signal]) : leaving.signal;
  const call = new Call(schema, request, { ...options, signal }, settings);
  let begun = false;
  let isOver = end === undefined;
  let broken: StreamError | undefined;
  try {
    for await (const event of open(call.message, call.attempt())) {
      begun = true;
      // The protocol's own error comes behind it.
      broken = event.error;
      if (end) isOver = end.isLast(event);
      if (!broken) yield event;
    }
    if (!isOver) throw new Error(end?.missing);
  } catch (cause) {
    throw broken ? readStreamFailure(broken, cause, call.requestId) : call.failure(cause, begun);
  } finally {
    leaving.abort();
    call.close();
  }
}
