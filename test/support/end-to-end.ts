/** One provider through the whole gateway in front of the emulator, by REST, and what is read off both. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import { afterAll, beforeAll, beforeEach } from "vitest";
import { ErrorInfoSchema } from "../../gen/ts/google/rpc/error_details_pb.ts";
import type { ChatResponse, StreamResponse } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { MessageSchema } from "../../gen/ts/llmgateway/v1/message_pb.ts";
import type { Usage } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import { CALLERS, type ChatInit, type Conversation } from "./callers.ts";
import { type GatewayUnderTest, startBoth } from "./gateway.ts";

export type MessageInit = MessageInitShape<typeof MessageSchema>;

export interface EndToEnd {
  readonly both: GatewayUnderTest;
  readonly rest: Conversation;
  streamed(request: ChatInit): Promise<StreamResponse[]>;
  /** What the last of so many requests used, by the emulator's meter. */
  metered(count: number): Promise<Partial<Usage>>;
}

/** Call it once, outside of the tests: each of them finds an empty meter. */
export function endToEnd(): EndToEnd {
  let both: GatewayUnderTest;
  let rest: Conversation;
  beforeAll(async () => {
    both = await startBoth();
    const caller = CALLERS.find(({ protocol }) => protocol === "rest");
    if (!caller) throw new Error("there is no REST");
    rest = caller.at(both.url);
  });
  afterAll(() => both[Symbol.asyncDispose]());
  beforeEach(() => both.emulator.meter.reset());
  return {
    get both() {
      return both;
    },
    get rest() {
      return rest;
    },
    async streamed(request) {
      const events: StreamResponse[] = [];
      for await (const event of rest.stream(request)) events.push(event);
      return events;
    },
    async metered(count) {
      await both.emulator.meter.ended(count);
      const record = both.emulator.meter.requests.at(-1);
      return {
        inputTokens: record?.inputTokens ?? -1,
        outputTokens: record?.outputTokens ?? -1,
        cachedInputTokens: record?.cachedInputTokens ?? -1,
        cacheWriteTokens: record?.cacheWriteTokens ?? -1,
        reasoningTokens: record?.reasoningTokens ?? -1,
      };
    },
  };
}

export const tool = (name: string) => ({
  name,
  parametersJson: '{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}',
});

/** Of a call that was refused, or of a stream that told its failure as its last event. */
export async function kindOf(
  call: () => Promise<ChatResponse | StreamResponse[]>,
): Promise<string | undefined> {
  try {
    const said = await call();
    return Array.isArray(said) ? said.at(-1)?.error?.kind : undefined;
  } catch (error) {
    return ConnectError.from(error).findDetails(ErrorInfoSchema)[0]?.reason;
  }
}

export function messageOf({ message }: ChatResponse): MessageInit {
  if (!message) throw new Error("there is no message");
  return message;
}

export function answered({ toolCalls }: ChatResponse): MessageInit {
  return {
    role: "tool",
    parts: toolCalls.map(({ id }) => ({
      part: { case: "toolResult", value: { toolCallId: id, content: "sunny" } },
    })),
  };
}
