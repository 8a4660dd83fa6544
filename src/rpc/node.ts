/** Requests and replies of HTTP/1.1 and HTTP/2 alike, as Node's compatible API gives them. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { connectNodeAdapter } from "@connectrpc/connect-node";
import type { Headers } from "../telemetry/trace.ts";

/** What Node calls for each request, of either protocol. */
export type NodeHandler = ReturnType<typeof connectNodeAdapter>;

/** What both kinds have in common, as one type: their own signatures exclude each other. */
export type NodeRequest = IncomingMessage;
export type NodeReply = ServerResponse;

/** The headers of a request behind the interface of `Headers`, without copying them. */
export function headersOf(request: NodeRequest): Headers {
  const { headers } = request;
  return {
    get: (name) => headers[name]?.toString() ?? null,
    keys: () => Object.keys(headers)[Symbol.iterator]() as ReturnType<globalThis.Headers["keys"]>,
  };
}

const WHOLE_URL = /^https?:\/\/([^/?#]*)\/?/i;

/** Proxies may ask by the whole URL, whose host holds then: to all behind it is as if they had asked as others do. */
export function untangle(request: NodeRequest): void {
  const whole = WHOLE_URL.exec(request.url ?? "");
  if (!whole) return;
  request.url = `/${request.url?.slice(whole[0].length)}`;
  request.headers.host = whole[1];
}

/** The path as it was sent, without its query. */
export function pathOf({ url = "/" }: NodeRequest): string {
  const query = url.indexOf("?");
  return query < 0 ? url : url.slice(0, query);
}

export function queryOf({ url = "/" }: NodeRequest): URLSearchParams {
  const query = url.indexOf("?");
  return new URLSearchParams(query < 0 ? "" : url.slice(query + 1));
}
