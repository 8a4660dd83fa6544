/** A provider that does nothing by itself: a test answers each request by hand, and sees when its connection goes. */
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Upstream extends AsyncDisposable {
  /** As a provider's `base_url`. */
  readonly url: string;
  /** The next request that was not asked for yet; waits for it. */
  next(): Promise<Held>;
}

/** A request that waits for its answer. */
export interface Held {
  readonly response: ServerResponse;
  /** Resolves when the exchange is over, by an answer or because the gateway left. */
  readonly closed: Promise<unknown>;
  /** Streams a word, and the head before the first. */
  say(word: string): void;
  /** Ends the stream as a provider does that has said all. */
  end(): void;
}

export async function startUpstream(): Promise<Upstream> {
  const arrived: Held[] = [];
  const waiting: ((held: Held) => void)[] = [];
  const server = createServer((request, response) => {
    request.resume();
    const held = hold(response);
    const waiter = waiting.shift();
    if (waiter) waiter(held);
    else arrived.push(held);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    async next() {
      return arrived.shift() ?? new Promise((resolve) => waiting.push(resolve));
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

function hold(response: ServerResponse): Held {
  const write = (delta: object, finish_reason: string | null) => {
    if (!response.headersSent) response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(`data: ${JSON.stringify({ choices: [{ index: 0, delta, finish_reason }] })}\n\n`);
  };
  return {
    response,
    closed: once(response, "close"),
    say: (word) => write({ content: word }, null),
    end() {
      write({}, "stop");
      response.end("data: [DONE]\n\n");
    },
  };
}
