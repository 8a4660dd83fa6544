/**
 * What a provider is to the rest of the gateway: pure functions between the
 * canonical messages and one wire format. It opens no socket and knows no key.
 */
import type { IncomingHttpHeaders } from "node:http";
import type { ChatRequest, StreamResponse } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { Usage } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import type { Failure } from "../core/failure.ts";

export interface Dialect {
  /** @throws Failure `invalid_request` for what the provider cannot be told. */
  encode(request: ChatRequest, wish: Wish): WireBody;
  /** @throws Failure `malformed_reply`, or what an error inside a reply with status 200 stands for */
  decodeReply(body: string, headers: IncomingHttpHeaders): Decoded;
  /** One for each stream, with the headers that it came with. */
  decodeStream(headers: IncomingHttpHeaders): StreamDecoder;
  classify(status: number, headers: IncomingHttpHeaders, body: string): Failure;
}

/** What the gateway decided about this attempt. */
export interface Wish {
  readonly model: string;
  readonly stream: boolean;
  /** Lowered `max_tokens`; undefined leaves the caller's. */
  readonly maxTokens: number | undefined;
  /** The most that the model can write, where the gateway knows it; for providers that must be told a limit. */
  readonly modelMaxTokens?: number | undefined;
}

export interface WireBody {
  /** Path below the provider's base URL, with a query where it needs one. */
  readonly path: string;
  /** JSON text. */
  readonly body: string;
  /** What this request needs beside the endpoint's own, in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Decoded {
  /** What the model said; the last one has `done`. */
  readonly events: StreamResponse[];
  /** Undefined when the provider reported none. */
  readonly usage: Usage | undefined;
  /** The model that the provider says served; empty when it does not say. */
  readonly servedModel: string;
  /** Stands in place of the events, in a reply that reports its usage all the same. */
  readonly failure?: Failure | undefined;
}

/** Decodes one stream, frame by frame; keeps what was reported so far. */
export interface StreamDecoder {
  /** Undefined until the provider reports it. */
  readonly usage: Usage | undefined;
  readonly servedModel: string;
  /**
   * The events of one frame: the `data:` field of a server-sent event, or a
   * message of an AWS event stream as `{"<event type>": <payload>}`.
   *
   * @throws Failure for an error inside the stream, or `malformed_reply`
   */
  push(data: string): StreamResponse[];
  /**
   * The provider closed the stream: the `done` event, if the model had finished.
   *
   * @param stray text that stood outside of all frames
   * @throws Failure `cut` when it had not
   */
  end(stray: string): StreamResponse[];
}
