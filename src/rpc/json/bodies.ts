/**
 * Bodies that the cache answered, with the requests that were read from them: what comes again in the same bytes is the
 * same request, and need not be read again. It knows no answers.
 */
import type { DescMethod, Message } from "@bufbuild/protobuf";
import { LRUMap } from "mnemonist";
import type { ChatResponse } from "../../../gen/ts/llmgateway/v1/chat_pb.ts";
import { GatewayService } from "../../../gen/ts/llmgateway/v1/gateway_pb.ts";
import { deepFreeze } from "../../core/freeze.ts";

/** The platform finds longer texts by their length alone. */
const MAX_CHARS = 16_000;
const MAX_BODIES = 500;

export class Bodies {
  private readonly known = new LRUMap<string, Message>(MAX_BODIES);

  /** The request that was read from this text, which nobody may change. */
  find(rpc: DescMethod, text: string): Message | undefined {
    // To look for a text is to read it once, which is not free.
    if (this.known.size === 0 || rpc !== GatewayService.method.chat || text.length > MAX_CHARS)
      return undefined;
    return this.known.get(text);
  }

  /** Keeps a request, where its answer was one of the cache's: the next may be the same. */
  keep(rpc: DescMethod, text: string, request: Message, answer: Message): void {
    if (rpc !== GatewayService.method.chat || text.length > MAX_CHARS) return;
    if ((answer as ChatResponse).cacheKind !== "exact" || this.known.has(text)) return;
    this.known.set(text, deepFreeze(request));
  }
}
