/**
 * A request body that nobody will read: what is left of it when the reply is out
 * is read to nowhere. Left alone it would block its connection, and whatever the
 * caller sends behind it; to close at once would take the reply away from a
 * caller who is still writing.
 */
import type { ServerHttp2Stream } from "node:http2";
import { systemClock, whenSilent } from "../core/clock.ts";
import type { NodeReply, NodeRequest } from "./node.ts";

/** A caller who has the reply and falls silent for so long is cut off; over HTTP/2 that stream alone. */
const LONGEST_SILENCE_MS = 2_000;

/** To be called once for each request, before it is handled. */
export function discardUnreadBody(request: NodeRequest, reply: NodeReply): void {
  // The reply of HTTP/2 counts as finished only when its request is, too; its stream tells it at once.
  const out = "stream" in reply ? (reply.stream as ServerHttp2Stream) : reply;
  out.once("finish", () => {
    if (request.complete) return;
    const cut = whenSilent(systemClock, LONGEST_SILENCE_MS, () => request.socket.destroy());
    request.once("close", cut.cancel);
    // Not by `resume`, which does nothing to a stream whose iterator was given up.
    const skip = () => {
      cut.refresh();
      while (request.read() !== null);
    };
    request.on("readable", skip);
    skip();
  });
}
