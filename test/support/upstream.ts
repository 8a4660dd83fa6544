/** A provider that does nothing by itself: a test answers each request by hand, and sees when its connection goes. */
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Upstream extends AsyncDisposable {
  /** As a provider's `base_url`. */
  readonly url: string;
  /** The next request that was not asked for yet; waits for it. */
  next(): Promise<Held>;
  /** Requests that have come and were not asked for yet. */
  readonly arrived: number;
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
  /** Says this and no more, as a stream or in one piece, as was asked. */
  answer(text: string): void;
}

export async function startUpstream(): Promise<Upstream> {
  const arrived: Held[] = [];
  const waiting: ((held: Held) => void)[] = [];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const piece of request.setEncoding("utf8")) body += piece;
    // Asked whether it is there, and not for an answer.
    if (!body) {
      response.end("{}");
      return;
    }
    const held = hold(response, JSON.parse(body).stream === true);
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
    get arrived() {
      return arrived.length;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

function hold(response: ServerResponse, streaming: boolean): Held {
  const write = (delta: object, finish_reason: string | null) => {
    if (!response.headersSent) response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(`data: ${JSON.stringify({ choices: [{ index: 0, delta, finish_reason }] })}\n\n`);
  };
  const say = (word: string) => write({ content: word }, null);
  const end = () => {
    write({}, "stop");
    response.end("data: [DONE]\n\n");
  };
  return {
    response,
    closed: once(response, "close"),
    say,
    end,
    answer(text) {
      if (streaming) {
        say(text);
        end();
        return;
      }
      const choices = [{ index: 0, message: { role: "assistant", content: text }, finish_reason: "stop" }];
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ choices }));
    },
  };
}
