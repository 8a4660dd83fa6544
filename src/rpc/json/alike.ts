/** Replies that are alike as JSON text: written once, and then with another id. It does not know which are alike. */
import { randomUUID } from "node:crypto";
import type { Message } from "@bufbuild/protobuf";
import type { ChatResponse } from "../../../gen/ts/llmgateway/v1/chat_pb.ts";

/** In place of an id, which has only characters that JSON text has as they are. */
const MARK = randomUUID();
const written = new WeakMap<object, readonly string[]>();

/** @param like the same for all that differ in their `request_id` alone */
export function writtenAlike(message: Message, like: object, write: (message: Message) => string): string {
  let parts = written.get(like);
  if (!parts) {
    parts = write({ ...message, requestId: MARK } as Message).split(MARK);
    written.set(like, parts);
  }
  return parts.join((message as ChatResponse).requestId);
}
