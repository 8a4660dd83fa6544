/** One provider through the whole gateway in front of the emulator, by REST, and what is read off both. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { ErrorInfoSchema } from "../../gen/ts/google/rpc/error_details_pb.ts";
import type { ChatResponse, StreamResponse } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { MessageSchema } from "../../gen/ts/llmgateway/v1/message_pb.ts";
import type { Usage } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import { CALLERS, type ChatInit, type Conversation } from "./callers.ts";
import { type GatewayUnderTest, startBoth } from "./gateway.ts";

type MessageInit = MessageInitShape<typeof MessageSchema>;

export interface EndToEnd {
  readonly both: GatewayUnderTest;
  readonly rest: Conversation;
  streamed(request: ChatInit): Promise<StreamResponse[]>;
  /** What the how-manieth request of a test used, by the emulator's meter. */
  metered(number: number): Promise<Partial<Usage>>;
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
    streamed: (request) => Array.fromAsync(rest.stream(request)),
    async metered(number) {
      await both.emulator.meter.ended(number);
      const record = both.emulator.meter.requests[number - 1];
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

type Ask = (content: string, more?: ChatInit) => ChatInit;

/** What holds of every provider, whatever its format. */
export function testChats(run: EndToEnd, ask: Ask): void {
  test("is JSON of a schema", async () => {
    const schemaJson = '{"type":"object","properties":{"age":{"type":"integer"}},"required":["age"]}';
    const request = ask("Hi", { responseFormat: { type: "json_schema", schemaJson } });
    expect(JSON.parse((await run.rest.chat(request)).response)).toEqual({ age: expect.any(Number) });
  });

  test("ends where it is told", async () => {
    const parameters = { maxTokens: 2, stop: ["answer"] };
    expect(await run.rest.chat(ask("Hi", { parameters }))).toMatchObject({
      finishReason: "length",
      response: "This is",
    });
  });

  test("ends at the provider when the caller leaves", async () => {
    const leaving = new AbortController();
    const request = ask("[[emulate: interval_ms=50 tokens=500]] Hi");
    const events = run.rest.stream(request, { signal: leaving.signal });
    await expect(
      (async () => {
        for await (const _ of events) leaving.abort();
      })(),
    ).rejects.toThrow();
    await run.both.emulator.meter.ended(1);
    expect(run.both.emulator.meter.requests[0]).toMatchObject({ outcome: "aborted", stream: true });
  });
}

/** A provider that caches what is marked. */
export async function checkMarks(run: EndToEnd, ask: Ask): Promise<void> {
  const system = { role: "system", content: "Handbook. ".repeat(600), cache: { ttl: "1h" } };
  const request = { ...ask(""), messages: [system, { role: "user", content: "Hi" }] };
  const written = await run.rest.chat(request);
  const first = await run.metered(1);
  expect(first.cacheWriteTokens).toBeGreaterThan(1024);
  expect(written.attempts[0]?.usage).toMatchObject({ ...first, cacheWrite1hTokens: first.cacheWriteTokens });
  const read = await run.rest.chat(request);
  expect(read.attempts[0]?.usage).toMatchObject(await run.metered(2));
  expect(read.cost?.cachedInputTokens).toBe(first.cacheWriteTokens);
}

/**
 * Streams that break in the middle are estimated, from below by what was said.
 *
 * @param countsPrompt whether the provider counts the prompt before the answer, so that its figure is kept
 */
export async function checkBroken(run: EndToEnd, ask: Ask, countsPrompt: boolean): Promise<void> {
  for (const directive of ["cut=20 tokens=60", "error_event=20 tokens=60", "no_done=1"]) {
    run.both.emulator.meter.reset();
    const events = await run.streamed(ask(`[[emulate: ${directive}]] Hi`));
    const usage = events.at(-1)?.error?.receipt?.attempts[0]?.usage;
    const { inputTokens = -1, outputTokens = -1 } = await run.metered(1);
    expect(usage).toMatchObject({ ...(countsPrompt && { inputTokens }), provenance: "estimated" });
    expect(usage?.outputTokens).toBeGreaterThanOrEqual(outputTokens);
  }
}

/**
 * Calls tools, answers with their results, and goes on, with the thoughts sent
 * back each time: the emulator checks their seals, as providers do.
 *
 * @returns the first reply, with the calls
 */
export async function converseWithTools(run: EndToEnd, question: ChatInit): Promise<ChatResponse> {
  const asked = question.messages ?? [];
  const first = await run.rest.chat(question);
  expect(first.finishReason).toBe("tool_calls");
  expect(first.toolCalls.map(({ name }) => name)).toEqual(question.tools?.map(({ name }) => name));
  const messages = [...asked, messageOf(first), answered(first)];
  const second = await run.rest.chat({ ...question, messages });
  expect(second.finishReason).toBe("stop");
  const third = [...messages, messageOf(second), { role: "user", content: "And now?" }];
  expect((await run.rest.chat({ ...question, messages: third })).finishReason).toBe("stop");
  return first;
}

/** Thoughts are sealed: other ones than came are refused. */
export async function checkSeals(run: EndToEnd, question: ChatInit, first: ChatResponse): Promise<void> {
  const changed = structuredClone(messageOf(first));
  for (const { part } of changed.parts ?? [])
    if (part?.case === "reasoning") part.value.text = "Something else.";
  const wrong = { ...question, messages: [...(question.messages ?? []), changed, answered(first)] };
  await expect(run.rest.chat(wrong)).rejects.toThrow("Invalid `signature` in `thinking` block");
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
