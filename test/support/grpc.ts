/** A gRPC call made by hand, for bodies that no client would send. */
import { once } from "node:events";
import { connect, constants, type OutgoingHttpHeaders } from "node:http2";

/** A message in gRPC's envelope. */
export function envelope(message: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** Status and message of the reply, from its trailers, or from headers that end it. */
export async function rawGrpc(url: string, body: Uint8Array, headers: OutgoingHttpHeaders = {}) {
  const session = connect(url);
  const stream = session.request({
    ":method": "POST",
    ":path": "/llmgateway.v1.GatewayService/Chat",
    "content-type": "application/grpc+proto",
    te: "trailers",
    ...headers,
  });
  let trailers: Record<string, unknown> = {};
  let status = 0;
  stream.on("response", (head, flags) => {
    status = head[":status"] ?? 0;
    if (flags & constants.NGHTTP2_FLAG_END_STREAM) trailers = head;
  });
  stream.on("trailers", (received) => {
    trailers = received;
  });
  stream.resume();
  stream.end(body);
  await once(stream, "close");
  session.close();
  return {
    http: status,
    status: Number(trailers["grpc-status"]),
    message: decodeURIComponent(String(trailers["grpc-message"] ?? "")),
  };
}
