/** One provider, asked through the whole gateway over REST, with the emulator behind it that meters what it served. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type CallOptions, ConnectError } from "@connectrpc/connect";
import { expect } from "vitest";
import { ErrorInfoSchema } from "../../gen/ts/google/rpc/error_details_pb.ts";
import type { ChatResponse, StreamResponse } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { MessageSchema } from "../../gen/ts/llmgateway/v1/message_pb.ts";
import type { Usage } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import { CALLERS, type ChatInit, type Conversation } from "./callers.ts";
import { type GatewayUnderTest, startBoth } from "./gateway.ts";

export type MessageInit = MessageInitShape<typeof MessageSchema>;

export interface ThroughGateway extends AsyncDisposable {
  readonly both: GatewayUnderTest;
  chat: Conversation["chat"];
  stream: Conversation["stream"];
  /** A whole stream. */
  streamed(request: ChatInit): Promise<StreamResponse[]>;
  /** What the last of so many requests used, by the emulator's meter. */
  metered(count: number): Promise<Partial<Usage>>;
}

export async function throughGateway(): Promise<ThroughGateway> {
  const both = await startBoth();
  const caller = CALLERS.find(({ protocol }) => protocol === "rest");
  if (!caller) throw new Error("there is no REST");
  const rest = caller.at(both.url);
  const { meter } = both.emulator;
  return {
    both,
    chat: (request, options?: CallOptions) => rest.chat(request, options),
    stream: (request, options?: CallOptions) => rest.stream(request, options),
    streamed: (request) => Array.fromAsync(rest.stream(request)),
    async metered(count) {
      await meter.ended(count);
      const record = meter.requests.at(-1);
      return {
        inputTokens: record?.inputTokens ?? -1,
        outputTokens: record?.outputTokens ?? -1,
        cachedInputTokens: record?.cachedInputTokens ?? -1,
        cacheWriteTokens: record?.cacheWriteTokens ?? -1,
        reasoningTokens: record?.reasoningTokens ?? -1,
      };
    },
    [Symbol.asyncDispose]: () => both[Symbol.asyncDispose](),
  };
}

/** Streams that break in the middle keep the prompt's figures, and estimate the answer from below. */
export async function checkBroken(provider: ThroughGateway, model: string): Promise<void> {
  for (const directive of ["cut=20 tokens=60", "error_event=20 tokens=60", "no_done=1"]) {
    provider.both.emulator.meter.reset();
    const messages = [{ role: "user", content: `[[emulate: ${directive}]] Hi` }];
    const events = await provider.streamed({ model, messages });
    const usage = events.at(-1)?.error?.receipt?.attempts[0]?.usage;
    const { inputTokens = -1, outputTokens = -1 } = await provider.metered(1);
    expect(usage).toMatchObject({ inputTokens, provenance: "estimated" });
    expect(usage?.outputTokens).toBeGreaterThanOrEqual(outputTokens);
  }
}

/** A caller who leaves ends the provider's work. */
export async function checkLeaving(provider: ThroughGateway, model: string): Promise<void> {
  const leaving = new AbortController();
  const messages = [{ role: "user", content: "[[emulate: interval_ms=50 tokens=500]] Hi" }];
  const events = provider.stream({ model, messages }, { signal: leaving.signal });
  await expect(
    (async () => {
      for await (const _ of events) leaving.abort();
    })(),
  ).rejects.toThrow();
  const { meter } = provider.both.emulator;
  await meter.ended(1);
  expect(meter.requests[0]).toMatchObject({ outcome: "aborted", stream: true });
}

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

/** The results of all calls of an answer. */
export function answered({ toolCalls }: ChatResponse): MessageInit {
  return {
    role: "tool",
    parts: toolCalls.map(({ id }) => ({
      part: { case: "toolResult", value: { toolCallId: id, content: "sunny" } },
    })),
  };
}

export const tool = (name: string) => ({
  name,
  parametersJson: '{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}',
});
