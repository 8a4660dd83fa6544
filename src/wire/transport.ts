/**
 * The one way to a provider: an HTTP POST over a pool of kept connections, with
 * abort and backpressure. It knows sockets and bytes, and nothing of what they mean.
 */
import type { IncomingHttpHeaders } from "node:http";
import { type Dispatcher, Pool } from "undici";
import { Failure } from "../core/failure.ts";
import { unsent } from "../core/failure-anew.ts";
import { createSlots } from "./slots.ts";

export interface TransportOptions {
  /** Scheme, host and port, without a path. */
  readonly origin: string;
  readonly maxConnections: number;
  readonly connectTimeoutMs: number;
  /** Reads that may wait for a slow reader before the socket is paused. */
  readonly bufferedReads: number;
}

export interface Transport {
  /**
   * Resolves with the reply's head.
   *
   * An abort ends the exchange at once, whatever it waits for, and closes its
   * connection; the promise, or the read under way, rejects with the signal's
   * reason. While it waits for a connection, nothing of it is ever sent, and the
   * Failure that it rejects with says so.
   *
   * @throws Failure `unreachable` when no connection was made, `cut` when one broke
   */
  post(path: string, headers: Record<string, string>, body: string, signal: AbortSignal): Promise<WireReply>;
  /** Closes once the exchanges under way have ended. */
  close(): Promise<void>;
}

export interface WireReply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /**
   * All bytes that have come since the last read, waiting for some if there are
   * none; undefined once the reply is complete. Not reading holds the provider back.
   */
  read(): Promise<readonly Buffer[] | undefined>;
  /**
   * The whole body as text.
   *
   * @throws Failure `malformed_reply` past the limit; the connection is then closed
   */
  text(maxBytes: number): Promise<string>;
  /** Gives up the rest of the reply; harmless when there is none. */
  cancel(): void;
}

export function createTransport(options: TransportOptions): Transport {
  // The gateway has its own deadlines, so the pool's are off. Over HTTP/2 all calls would share a connection, which stays
  // when a call is given up: one that is dead would take every call to the provider for a quarter of an hour.
  const pool = new Pool(options.origin, {
    allowH2: false,
    connections: options.maxConnections,
    connect: { timeout: options.connectTimeoutMs },
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  // The pool has a queue too, but what is in it cannot be taken out: callers who
  // give up waiting would fill it for as long as the provider hangs.
  const slots = createSlots(options.maxConnections);
  let closing = false;
  return {
    post(path, headers, body, signal) {
      return new Promise((resolve, reject) => {
        if (signal.aborted) return reject(unsent(signal.reason, UNCONNECTED));
        if (closing) return reject(failureOf(new Error("the connections are being closed"), false));
        const start = () => void pool.dispatch({ method: "POST", path, headers, body }, exchange);
        const exchange = new Exchange(signal, options.bufferedReads, {
          onHead: resolve,
          onNoHead: reject,
          onEnd: () => slots.leave(start),
        });
        slots.enter(start);
      });
    },
    async close() {
      closing = true;
      // The pool would refuse those that wait.
      await slots.empty();
      await pool.close();
    },
  };
}

interface Listeners {
  onHead(reply: WireReply): void;
  onNoHead(error: unknown): void;
  /** Called once, whatever became of it. */
  onEnd(): void;
}

class Exchange implements Dispatcher.DispatchHandler, WireReply {
  status = 0;
  headers: IncomingHttpHeaders = {};
  private readonly signal: AbortSignal;
  private readonly bufferedReads: number;
  private readonly listeners: Listeners;
  private readonly onAbort = () => {
    const { reason } = this.signal;
    this.fail(this.controller ? reason : unsent(reason, UNCONNECTED));
  };
  private controller: Dispatcher.DispatchController | undefined;
  private waiting: Buffer[] = [];
  private ended = false;
  private error: unknown;
  private wake: (() => void) | undefined;

  constructor(signal: AbortSignal, bufferedReads: number, listeners: Listeners) {
    this.signal = signal;
    this.bufferedReads = bufferedReads;
    this.listeners = listeners;
    signal.addEventListener("abort", this.onAbort, { once: true });
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller;
    if (this.ended) controller.abort(this.error as Error);
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    if (status < 200) return;
    this.status = status;
    this.headers = headers;
    this.listeners.onHead(this);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.waiting.push(chunk);
    if (this.waiting.length >= this.bufferedReads) controller.pause();
    this.wakeReader();
  }

  onResponseEnd(): void {
    this.end();
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    this.fail(failureOf(error, this.controller !== undefined));
  }

  async read(): Promise<readonly Buffer[] | undefined> {
    if (this.waiting.length === 0 && !this.ended) {
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
    if (this.waiting.length > 0) return this.take();
    if (this.error !== undefined) throw this.error;
    return undefined;
  }

  text(maxBytes: number): Promise<string> {
    return readText(this, maxBytes);
  }

  cancel(): void {
    if (!this.ended) this.fail(new Failure("cancelled", "the rest of the reply is not wanted"));
  }

  private take(): readonly Buffer[] {
    const taken = this.waiting;
    this.waiting = [];
    if (this.controller?.paused) this.controller.resume();
    return taken;
  }

  private fail(error: unknown): void {
    if (this.ended) return;
    this.error = error;
    this.end();
    this.controller?.abort(error as Error);
    if (this.status === 0) this.listeners.onNoHead(error);
  }

  private end(): void {
    this.ended = true;
    this.signal.removeEventListener("abort", this.onAbort);
    this.wakeReader();
    this.listeners.onEnd();
  }

  private wakeReader(): void {
    const wake = this.wake;
    this.wake = undefined;
    wake?.();
  }
}

/** @throws Failure `malformed_reply` past the limit; the reply is then given up */
export async function readText(reply: WireReply, maxBytes: number): Promise<string> {
  const all: Buffer[] = [];
  let bytes = 0;
  for (let some = await reply.read(); some; some = await reply.read()) {
    for (const chunk of some) {
      bytes += chunk.length;
      all.push(chunk);
    }
    if (bytes > maxBytes) {
      reply.cancel();
      throw new Failure("malformed_reply", "the provider's reply is too large", {
        operator: `reply of more than ${maxBytes} bytes`,
      });
    }
  }
  return all.length === 1 ? String(all[0]) : Buffer.concat(all).toString();
}

/** Before the request left, nothing can have been charged; afterwards nobody knows. */
function failureOf(error: Error, sent: boolean): Failure {
  const details = { operator: `${error.name}: ${error.message}`, cause: error };
  return sent
    ? new Failure("cut", "the connection to the provider broke", details)
    : new Failure("unreachable", "the provider cannot be reached", details);
}

const UNCONNECTED = "it was still waiting for a connection to the provider";
