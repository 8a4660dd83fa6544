/** The two ways in which a reply comes: as one JSON text, or as server-sent events. */
import type { IncomingHttpHeaders } from "node:http";
import type { StreamResponse } from "../../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { Usage } from "../../../gen/ts/llmgateway/v1/receipt_pb.ts";
import { Failure } from "../../core/failure.ts";
import type { Decoded, StreamDecoder } from "../dialect.ts";
import { parseJson } from "../malformed.ts";
import { parseExactly } from "../raw_json.ts";
import { classifyStray } from "./classify.ts";
import { ReplyDecoder } from "./reply.ts";

/** A list is the whole of a stream, as it comes without `alt=sse`. */
export function decodeReply(body: string, headers: IncomingHttpHeaders): Decoded {
  const value = parseJson(body, parseExactly);
  const reply = new ReplyDecoder(headers);
  const decoded = (events: StreamResponse[]) => ({
    events,
    usage: reply.usage,
    servedModel: reply.servedModel,
  });
  try {
    const events = Array.isArray(value) ? value.flatMap((element) => reply.take(element)) : reply.take(value);
    events.push(...reply.finish());
    return decoded(events);
  } catch (failure) {
    if (failure instanceof Failure) return { ...decoded([]), failure };
    throw failure;
  }
}

/** There is no mark at the end of a stream. */
export class GeminiStream implements StreamDecoder {
  private readonly reply: ReplyDecoder;

  constructor(headers: IncomingHttpHeaders) {
    this.reply = new ReplyDecoder(headers);
  }

  get usage(): Usage | undefined {
    return this.reply.usage;
  }

  get servedModel(): string {
    return this.reply.servedModel;
  }

  push(data: string): StreamResponse[] {
    return this.reply.take(parseJson(data, parseExactly));
  }

  end(stray: string): StreamResponse[] {
    const failure = classifyStray(stray);
    if (failure) throw failure;
    return this.reply.finish();
  }
}
