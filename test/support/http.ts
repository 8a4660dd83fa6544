/** An HTTP POST over either version of the protocol, with the reply as it comes off the wire. */
import { connect } from "node:http2";

export interface WireReply {
  readonly status: number;
  readonly headers: Headers;
  /** The body, decoded, as it comes. */
  readonly pieces: AsyncIterable<string>;
  /** The whole body. */
  text(): Promise<string>;
}

export interface PostOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

export type Post = (url: string, body: string | Uint8Array, options?: PostOptions) => Promise<WireReply>;

const JSON_HEADERS = { "content-type": "application/json" };

export const http1: Post = async (url, body, { headers = JSON_HEADERS, signal } = {}) => {
  const reply = await fetch(url, { method: "POST", headers, body: body as string, signal: signal ?? null });
  const pieces = (reply.body ?? new ReadableStream()).pipeThrough(new TextDecoderStream());
  return { status: reply.status, headers: reply.headers, pieces, text: () => textOf(pieces) };
};

/** With prior knowledge in cleartext, by ALPN with TLS; a connection for each request. */
export const http2: Post = (url, body, { headers = JSON_HEADERS, signal } = {}) => {
  const { origin, pathname, search } = new URL(url);
  const session = connect(origin, { rejectUnauthorized: false });
  return new Promise((resolve, reject) => {
    session.on("error", reject);
    const stream = session.request(
      { ":method": "POST", ":path": pathname + search, ...headers },
      signal ? { signal } : {},
    );
    stream.on("error", reject);
    stream.on("close", () => {
      session.close();
      // Where the server is gone no error tells of it. After a response this says nothing any more.
      reject(new Error("the connection was closed before there was a response"));
    });
    stream.setEncoding("utf8");
    stream.on("response", (incoming) => {
      const { ":status": status = 0, ...rest } = incoming;
      const fields = Object.entries(rest).map(([name, value]): [string, string] => [name, String(value)]);
      resolve({ status, headers: new Headers(fields), pieces: stream, text: () => textOf(stream) });
    });
    stream.end(body);
  });
};

async function textOf(pieces: AsyncIterable<string>): Promise<string> {
  let text = "";
  for await (const piece of pieces) text += piece;
  return text;
}
