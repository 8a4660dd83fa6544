/** A crowd of callers over gRPC: many streams on few connections, of which some are read to their end. */
import { connect, type Socket } from "node:net";
import { type Client, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import type { StreamResponse } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { GatewayService } from "../../gen/ts/llmgateway/v1/gateway_pb.ts";

/** Every first word is so late, so that all streams are open before any goes on, on a busy machine too. */
export const HOLD_MS = 12_000;
const INTERVAL_MS = 100;
/** More words than anyone waits for. */
const ENDLESS_WORDS = 1_000;

/** What a caller does with its stream. */
export type Plan =
  | { readonly kind: "stays"; readonly words: number }
  | { readonly kind: "leaves before a word"; readonly afterMs: number }
  | { readonly kind: "leaves midway"; readonly afterWords: number }
  | { readonly kind: "reads no more"; readonly afterWords: number }
  | { readonly kind: "runs out of time"; readonly deadlineMs: number }
  | { readonly kind: "loses its connection" };

/** One call, and what its caller got. */
export interface Stream {
  readonly requestId: string;
  /** By which the emulator knows it. */
  readonly number: number;
  readonly plan: Plan;
  readonly events: StreamResponse[];
  error: ConnectError | undefined;
}

/** To dispose of it is to close its connections, whatever goes on there. */
export interface Crowd extends Disposable {
  readonly streams: readonly Stream[];
  /** Lets those go who wait for no word. */
  dismiss(): void;
  /** Resets the connections (TCP RST). */
  reset(): void;
  /** Every stream has ended, one way or another. */
  readonly over: Promise<unknown>;
}

/** @param firstNumber of the streams; it counts on from there */
export function gatherCrowd(
  url: string,
  connections: number,
  plans: readonly Plan[],
  firstNumber: number,
): Crowd {
  const lines = Array.from({ length: connections }, () => new Line(url));
  const dismissed = Promise.withResolvers<void>();
  const streams = plans.map((plan, index): Stream => {
    const number = firstNumber + index;
    return { requestId: `stream-${number}`, number, plan, events: [], error: undefined };
  });
  const follow = (stream: Stream, index: number) =>
    lines[index % connections]?.follow(stream, dismissed.promise);
  return {
    streams,
    dismiss: dismissed.resolve,
    reset: () => {
      for (const line of lines) line.reset();
    },
    over: Promise.all(streams.map(follow)),
    [Symbol.dispose]: () => {
      for (const line of lines) line.hangUp();
    },
  };
}

/** The same for all but the directives, and so are the words of the answer. */
function questionOf({ number, plan }: Stream): string {
  const words = plan.kind === "stays" ? plan.words : ENDLESS_WORDS;
  // No id of the gateway goes to a provider. This header means nothing on a stream, and the meter keeps it.
  const mark = `retry_after=${number}`;
  return `[[emulate: ${mark} first_token_ms=${HOLD_MS} interval_ms=${INTERVAL_MS} tokens=${words}]] Go on`;
}

/** The number of the stream that a record of the emulator's meter is about. */
export function numberOf({ fault = "" }: { readonly fault?: string }): number {
  return Number(/retry_after=(\d+)/.exec(fault)?.[1]);
}

/** One connection, which is never made anew. */
class Line {
  private socket: Socket | undefined;
  private readonly session: Http2SessionManager;
  private readonly gateway: Client<typeof GatewayService>;

  constructor(url: string) {
    const { hostname, port } = new URL(url);
    const createConnection = () => {
      if (this.socket) throw new Error("the connection was lost, and another one asked for");
      this.socket = connect(Number(port), hostname);
      return this.socket;
    };
    const sessionManager = new Http2SessionManager(url, {}, { createConnection });
    this.session = sessionManager;
    this.gateway = createClient(GatewayService, createGrpcTransport({ baseUrl: url, sessionManager }));
  }

  async follow(stream: Stream, dismissed: Promise<void>): Promise<void> {
    const { plan, requestId, events } = stream;
    const leaving = new AbortController();
    const leave = () => leaving.abort();
    if (plan.kind === "leaves before a word") dismissed.then(() => setTimeout(leave, plan.afterMs));
    // As a header alone, so that no timer of the client's own is faster than the gateway's.
    const deadline = plan.kind === "runs out of time" ? { "grpc-timeout": `${plan.deadlineMs}m` } : {};
    const ask = { model: "openai/gpt-4o", messages: [{ role: "user", content: questionOf(stream) }] };
    const options = { signal: leaving.signal, headers: { "x-request-id": requestId, ...deadline } };
    try {
      for await (const event of this.gateway.stream(ask, options)) {
        events.push(event);
        if (plan.kind === "leaves midway" && events.length === plan.afterWords) leave();
        // The client resets no stream for this: it goes on unread, until the connection is closed.
        if (plan.kind === "reads no more" && events.length === plan.afterWords) break;
      }
    } catch (error) {
      stream.error = ConnectError.from(error);
    }
  }

  reset(): void {
    this.socket?.resetAndDestroy();
  }

  hangUp(): void {
    this.session.abort();
  }
}
