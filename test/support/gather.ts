/** A stream to its end, which may be an error. */
import { ConnectError } from "@connectrpc/connect";
import type { StreamResponse } from "../../gen/ts/llmgateway/v1/chat_pb.ts";

export async function gather(events: AsyncIterable<StreamResponse>) {
  const gathered: StreamResponse[] = [];
  try {
    for await (const event of events) gathered.push(event);
  } catch (error) {
    return { gathered, error: ConnectError.from(error) };
  }
  return { gathered, error: undefined };
}
