/** What the client gives and throws, at a real gateway, by every transport. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Code, type StreamResponse } from "../../../clients/typescript/src/gateway.ts";
import { SERVICES } from "../../../src/fronts.ts";
import { type GatewayUnderTest, startBoth } from "../../support/gateway.ts";
import { ask, failureOf, WAYS } from "./ways.ts";

let both: GatewayUnderTest;
beforeAll(async () => {
  both = await startBoth();
});
afterAll(() => both[Symbol.asyncDispose]());

const WEATHER = {
  name: "get_weather",
  parametersJson: '{"properties":{"city":{"type":"string"}},"required":["city"]}',
};

test("every RPC is a method, and the reference has it", () => {
  const page = readFileSync(new URL("../../../clients/typescript/README.md", import.meta.url), "utf8");
  const gateway = WAYS[0]?.connect({ baseUrl: both.url });
  for (const { localName } of SERVICES.flatMap(({ methods }) => methods)) {
    expect(gateway).toHaveProperty(localName);
    expect(page).toMatch(new RegExp(`[.\\x60]${localName}\\b`));
  }
});

describe.each(WAYS)("$name", ({ connect }) => {
  const gateway = () => connect({ baseUrl: both.url });

  test("a chat says what it cost, under the caller's request id", async () => {
    const requestId = crypto.randomUUID();
    const reply = await gateway().chat(ask("Hello"), { requestId });
    expect(reply.response).toMatch(/^This is the answer to "Hello"/);
    expect(reply.cost).toMatchObject({ provenance: "measured", actualUsd: expect.any(Number) });
    expect(reply.attempts).toMatchObject([{ outcome: "ok", actualPicoUsd: reply.cost?.actualPicoUsd }]);
    expect(reply.requestId).toBe(requestId);
    expect(await both.log.about(requestId)).toMatchObject({ method: "Chat", outcome: "ok" });
  });

  test("a tool is called, at once and in pieces", async () => {
    const question = { ...ask("Please call get_weather"), tools: [WEATHER] };
    const reply = await gateway().chat(question);
    expect(reply.toolCalls).toMatchObject([{ name: "get_weather", arguments: '{"city":"sample city"}' }]);
    const stream = gateway().stream(question);
    let pieces = "";
    for await (const { toolCall } of stream) pieces += toolCall?.arguments ?? "";
    expect(pieces).toBe('{"city":"sample city"}');
    expect(await stream.receipt).toMatchObject({ cost: { provenance: "measured" } });
  });

  test("a stream counts its cost, and ends with the receipt", async () => {
    const stream = gateway().stream(ask("Hello"));
    expect(stream).toMatchObject({ costUsd: undefined, provenance: "unknown", requestId: undefined });
    const events: StreamResponse[] = [];
    let before = 0;
    for await (const event of stream) {
      if (!event.done) {
        expect(stream.costUsd).toBeGreaterThan(before);
        expect(Number(stream.costPicoUsd) / 1e12).toBe(stream.costUsd);
        expect(stream.provenance).toBe("estimated");
      }
      before = stream.costUsd ?? 0;
      events.push(event);
    }
    expect(events.map(({ token = "" }) => token).join("")).toMatch(/^This is the answer to "Hello"/);
    const receipt = await stream.receipt;
    expect(events.at(-1)).toMatchObject({ done: true, receipt });
    expect(receipt.requestId).toBe(stream.requestId);
    expect(stream).toMatchObject({ costUsd: receipt.cost?.actualUsd, provenance: "measured" });
    expect(stream.costPicoUsd).toBe(receipt.cost?.actualPicoUsd);
  });

  test("the text of a stream, which is read once", async () => {
    const stream = gateway().stream(ask("Hello"));
    expect(await stream.text()).toMatch(/^This is the answer to "Hello"\..*\.$/);
    await expect(stream.text()).rejects.toThrow("a stream is read once");
  });

  test("makes vectors of texts, and says what they cost", async () => {
    const requestId = crypto.randomUUID();
    const request = { model: "openai", input: ["Hello", "world"], dimensions: 8 };
    const { embeddings, cost, ...reply } = await gateway().embed(request, { requestId });
    expect(embeddings.map(({ index, values }) => [index, values.length])).toEqual([
      [0, 8],
      [1, 8],
    ]);
    expect(cost).toMatchObject({ provenance: "measured", outputTokens: 0, actualUsd: expect.any(Number) });
    expect(reply.requestId).toBe(requestId);
    expect(await both.log.about(requestId)).toMatchObject({ method: "Embed", outcome: "ok" });
  });

  test("lists models and tells the status", async () => {
    const { models } = await gateway().listModels({ provider: "openai" });
    expect(models).toContainEqual(expect.objectContaining({ id: "openai/gpt-4o", inputPer1kTokens: 0.0025 }));
    expect(await gateway().getStatus()).toMatchObject({ status: "serving" });
  });

  test("a refusal names its kind, when to try again, and what it cost", async () => {
    const refused = ask("[[emulate: status=429 retry_after=2]] Hello");
    const once = connect({ baseUrl: both.url, retry: false });
    const stream = once.stream(refused);
    for (const failure of [await failureOf(once.chat(refused)), await failureOf(stream.text())]) {
      expect(failure).toMatchObject({
        kind: "provider_rate_limited",
        code: Code.ResourceExhausted,
        message: "the provider limits the rate of the gateway's requests",
        retryAfterMs: 2_000,
        receipt: { attempts: [{ outcome: "failed", failureKind: "provider_rate_limited" }] },
        costUsd: 0,
        provenance: "measured",
        previous: [],
      });
      expect(failure.requestId).toBe(failure.receipt?.requestId);
    }
    await expect(stream.receipt).rejects.toMatchObject({ kind: "provider_rate_limited" });
  });

  test("a wrong request names the fields", async () => {
    const failure = await failureOf(gateway().chat({ messages: [{ role: "nobody", content: "Hello" }] }));
    expect(failure).toMatchObject({ kind: "invalid_request", code: Code.InvalidArgument });
    expect(failure.violations).toMatchObject([
      { field: "messages[0].role", description: expect.any(String) },
    ]);
  });

  test("a stream that breaks throws what its error event says, and does not hand it out", async () => {
    const stream = gateway().stream(ask("[[emulate: cut=3]] Hello"));
    const tokens: (string | undefined)[] = [];
    const reading = (async () => {
      for await (const { token } of stream) tokens.push(token);
    })();
    const failure = await failureOf(reading);
    expect(tokens).toEqual(["This", " is", " the"]);
    expect(failure).toMatchObject({
      kind: "cut",
      code: Code.Unavailable,
      message: "the connection to the provider broke",
      receipt: { attempts: [{ outcome: "failed", failureKind: "cut" }] },
      provenance: "estimated",
    });
    // What may have been under way is booked with what came.
    expect(failure.receipt?.cost?.outputTokens).toBeGreaterThan(3);
    expect(failure.costUsd).toBeGreaterThan(0);
    expect(failure.requestId).toBe(stream.requestId);
    await expect(stream.receipt).rejects.toBe(failure);
  });

  test("a deadline ends a call, and the gateway's answer says what was spent", async () => {
    const patient = connect({ baseUrl: both.url, timeoutMs: 60_000 });
    const late = ask("[[emulate: hang=1]] Hello");
    const slow = ask("[[emulate: interval_ms=20 tokens=1000]] Hello");
    const failures = await Promise.all(
      [
        patient.chat(late, { timeoutMs: 150 }),
        connect({ baseUrl: both.url, timeoutMs: 150 }).chat(late),
        patient.chat({ ...late, timeoutMs: 150 }),
        patient.stream(slow, { timeoutMs: 150 }).text(),
      ].map(failureOf),
    );
    for (const failure of failures) {
      expect(failure).toMatchObject({
        kind: "deadline_exceeded",
        code: Code.DeadlineExceeded,
        receipt: { attempts: [{ failureKind: "deadline_exceeded" }] },
        provenance: "estimated",
      });
      expect(failure.costUsd).toBeGreaterThan(0);
    }
  });

  test("abort() ends a stream with the cost so far, and the provider's work with it", async () => {
    const stream = gateway().stream(ask("[[emulate: interval_ms=5 tokens=100000]] Hello"));
    let events = 0;
    const reading = (async () => {
      for await (const _ of stream) if (++events === 3) stream.abort();
    })();
    const failure = await failureOf(reading);
    expect(events).toBe(3);
    expect(failure).toMatchObject({
      kind: "cancelled",
      code: Code.Canceled,
      receipt: undefined,
      costUsd: stream.costUsd,
      costPicoUsd: stream.costPicoUsd,
      provenance: "estimated",
      requestId: stream.requestId,
    });
    expect(failure.costUsd).toBeGreaterThan(0);
    await expect(stream.receipt).rejects.toBe(failure);
    expect(await both.log.about(failure.requestId ?? "")).toMatchObject({
      outcome: "abandoned",
      output_tokens: expect.toSatisfy((tokens: number) => tokens >= 3),
    });
  });

  test("who leaves the loop leaves the call", async () => {
    const stream = gateway().stream(ask("[[emulate: interval_ms=5 tokens=100000]] Hello"));
    for await (const _ of stream) break;
    const failure = await failureOf(stream.receipt);
    expect(failure).toMatchObject({ kind: "cancelled", provenance: "estimated", costUsd: stream.costUsd });
    expect(await both.log.about(failure.requestId ?? "")).toMatchObject({ outcome: "abandoned" });
  });

  test("a signal ends a chat, before it is sent and after", async () => {
    const served = both.emulator.meter.requests.length;
    const gone = gateway().chat(ask("Hello"), { signal: AbortSignal.abort() });
    expect(await failureOf(gone)).toMatchObject({ kind: "cancelled", code: Code.Canceled });
    expect(both.emulator.meter.requests).toHaveLength(served);

    const leaving = new AbortController();
    const requestId = crypto.randomUUID();
    const chat = gateway().chat(ask("[[emulate: hang=1]]"), { requestId, signal: leaving.signal });
    await expect.poll(() => both.emulator.meter.requests.length).toBe(served + 1);
    leaving.abort();
    expect(await failureOf(chat)).toMatchObject({ kind: "cancelled", requestId });
    expect(await both.log.about(requestId)).toMatchObject({ outcome: "abandoned" });
  });

  test("a stream that is aborted before it is read is never sent", async () => {
    const served = both.emulator.meter.requests.length;
    const stream = gateway().stream(ask("Hello"));
    stream.abort();
    await expect(stream.receipt).rejects.toMatchObject({ kind: "cancelled" });
    expect(await failureOf(stream.text())).toMatchObject({ kind: "cancelled" });
    expect(both.emulator.meter.requests).toHaveLength(served);
  });
});
