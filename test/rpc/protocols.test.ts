/** One call, whatever the protocol: the same text, the same cost, the same failures, by every way in. */
import { Code, ConnectError } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ErrorInfoSchema, RetryInfoSchema } from "../../gen/ts/google/rpc/error_details_pb.ts";
import { ReceiptSchema } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import { LEAST_UNDER_WAY as UNDER_WAY } from "../../src/cost/answer.ts";
import { CALLERS, type ChatInit } from "../support/callers.ts";
import { type GatewayUnderTest, startBoth } from "../support/gateway.ts";
import { gather } from "../support/gather.ts";

/** gpt-4o in the catalog: $0.0025 for 1,000 tokens read, $0.01 for 1,000 written. */
const PICO_PER_INPUT_TOKEN = 2_500_000n;
const PICO_PER_OUTPUT_TOKEN = 10_000_000n;

let both: GatewayUnderTest;
beforeAll(async () => {
  both = await startBoth();
});
afterAll(() => both[Symbol.asyncDispose]());

function ask(content: string): ChatInit {
  return { messages: [{ role: "user", content }], model: "openai", modelVersion: "gpt-4o" };
}

/** What the provider metered for the request that it served last. */
function metered() {
  const last = both.emulator.meter.requests.at(-1);
  if (!last) throw new Error("the provider was not called");
  const { inputTokens, outputTokens } = last;
  const picoUsd = BigInt(inputTokens) * PICO_PER_INPUT_TOKEN + BigInt(outputTokens) * PICO_PER_OUTPUT_TOKEN;
  return { inputTokens, outputTokens, picoUsd, usd: Number(picoUsd) / 1e12 };
}

describe.each(CALLERS)("$name", ({ at, protocol }) => {
  test("answers a chat, and says what it cost", async () => {
    let headers = new Headers();
    const reply = await at(both.url).chat(ask("What is a gateway?"), {
      headers: { "x-request-id": `chat-${protocol}` },
      onHeader: (received) => {
        headers = received;
      },
    });
    const spent = metered();
    expect(reply.response).toMatch(/^This is the answer to "What is a gateway\?"\./);
    expect(reply.message).toMatchObject({ role: "assistant", content: reply.response });
    expect(reply).toMatchObject({ provider: "openai", model: "gpt-4o", finishReason: "stop" });
    expect(reply.cost).toMatchObject({
      inputTokens: spent.inputTokens,
      outputTokens: spent.outputTokens,
      totalTokens: spent.inputTokens + spent.outputTokens,
      actualPicoUsd: spent.picoUsd,
      actualUsd: spent.usd,
      provenance: "measured",
    });
    expect(reply.cost?.estimatedUsd).toBeGreaterThan(0);
    expect(reply.attempts).toMatchObject([
      { number: 1, provider: "openai", outcome: "ok", actualPicoUsd: spent.picoUsd },
    ]);
    expect(reply.route?.policy).toBe("explicit");
    expect(headers.get("x-request-id")).toBe(`chat-${protocol}`);
    expect(reply.requestId).toBe(`chat-${protocol}`);
    expect(await both.log.about(`chat-${protocol}`)).toMatchObject({
      protocol,
      method: "Chat",
      outcome: "ok",
    });
  });

  test("streams it word by word, with a running cost and a receipt at the end", async () => {
    let headers = new Headers();
    const { gathered, error } = await gather(
      at(both.url).stream(ask("What is a gateway?"), {
        onHeader: (received) => {
          headers = received;
        },
      }),
    );
    expect(error).toBeUndefined();
    const spent = metered();
    const words = gathered.slice(0, -1);
    const done = gathered.at(-1);
    expect(words).toHaveLength(spent.outputTokens);
    expect(words.map((event) => event.token).join("")).toMatch(
      /^This is the answer to "What is a gateway\?"\./,
    );
    let before = 0;
    for (const { costUsd = 0, costPicoUsd } of words) {
      expect(costUsd).toBeGreaterThan(before);
      expect(Number(costPicoUsd) / 1e12).toBe(costUsd);
      before = costUsd;
    }
    expect(done).toMatchObject({
      done: true,
      finishReason: "stop",
      totalCostUsd: spent.usd,
      costPicoUsd: spent.picoUsd,
    });
    expect(done?.receipt).toMatchObject({ provider: "openai", model: "gpt-4o" });
    expect(done?.receipt?.cost).toMatchObject({
      inputTokens: spent.inputTokens,
      outputTokens: spent.outputTokens,
      actualPicoUsd: spent.picoUsd,
      provenance: "measured",
    });
    expect(done?.receipt?.attempts).toMatchObject([{ outcome: "ok", actualPicoUsd: spent.picoUsd }]);
    expect(headers.get("x-request-id")).toBe(done?.receipt?.requestId);
  });

  test("tells a failure before the first word by its status", async () => {
    const refused = ask("[[emulate: status=429 retry_after=6.0051]] Hello");
    const conversation = at(both.url);
    const unary = await conversation.chat(refused).catch(ConnectError.from);
    const { gathered, error } = await gather(conversation.stream(refused));
    expect(gathered).toEqual([]);
    for (const failure of [unary, error]) {
      expect.assert(failure instanceof ConnectError);
      expect(failure.code).toBe(Code.ResourceExhausted);
      expect(failure.rawMessage).toBe("the provider limits the rate of the gateway's requests");
      expect(failure.findDetails(ErrorInfoSchema)).toMatchObject([{ reason: "provider_rate_limited" }]);
      expect(failure.metadata.get("retry-after")).toBe("7");
      expect(failure.findDetails(RetryInfoSchema)).toMatchObject([
        { retryDelay: { seconds: 6n, nanos: 6_000_000 } },
      ]);
      expect(failure.metadata.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
    }
  });

  test("tells a failure within a stream by an event with the receipt, and then by its status", async () => {
    const { gathered, error } = await gather(at(both.url).stream(ask("[[emulate: cut=3]] Hello")));
    expect(gathered.slice(0, 3).map((event) => event.token)).toEqual(["This", " is", " the"]);
    expect(gathered).toHaveLength(4);
    const failure = gathered.at(-1)?.error;
    expect(failure).toMatchObject({ kind: "cut", message: "the connection to the provider broke" });
    expect(failure?.receipt?.attempts).toMatchObject([{ outcome: "failed", failureKind: "cut" }]);
    expect(failure?.receipt?.cost).toMatchObject({
      outputTokens: expect.toSatisfy((tokens) => tokens >= 3 + UNDER_WAY),
      provenance: "estimated",
    });
    expect(failure?.receipt?.cost?.actualPicoUsd).toBeGreaterThanOrEqual(metered().picoUsd);
    // Server-sent events have no status of their own after the head: there the event is all.
    if (protocol === "rest") expect(error).toBeUndefined();
    else expect(error?.code).toBe(Code.Unavailable);
  });

  test("an error under status 200 is not free: the provider had read the request", async () => {
    const { error } = await gather(at(both.url).stream(ask("[[emulate: error_event=0]] Hello")));
    const metered = both.emulator.meter.requests.at(-1)?.inputTokens ?? 0;
    const [receipt] = error?.findDetails(ReceiptSchema) ?? [];
    expect(receipt?.cost).toMatchObject({ provenance: "estimated" });
    expect(receipt?.cost?.inputTokens).toBeGreaterThanOrEqual(metered);
  });

  test("prices what was said before the provider reported an error in its stream", async () => {
    const { gathered } = await gather(at(both.url).stream(ask("[[emulate: error_event=2]] Hello")));
    const failure = gathered.at(-1)?.error;
    expect(failure?.kind).toBe("provider_error");
    expect(failure?.receipt?.cost).toMatchObject({
      outputTokens: expect.toSatisfy((tokens) => tokens >= 2 + UNDER_WAY),
      provenance: "estimated",
    });
    expect(failure?.receipt?.cost?.actualPicoUsd).toBeGreaterThanOrEqual(metered().picoUsd);
  });
});
