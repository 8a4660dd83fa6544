/** Several models asked at once: each by itself, none held back by another, and every one of them accounted for. */
import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { ErrorInfoSchema } from "../../gen/ts/google/rpc/error_details_pb.ts";
import type { CompareEvent } from "../../gen/ts/llmgateway/v1/compare_pb.ts";
import { ReceiptSchema } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import { type Emulator, startEmulator } from "../../src/emulator/server.ts";
import { CALLERS } from "../support/callers.ts";
import { type GatewayUnderTest, startBoth } from "../support/gateway.ts";
import { gather } from "../support/gather.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";

let upstream: Upstream;
let broken: Emulator;
let both: GatewayUnderTest;
beforeAll(async () => {
  upstream = await startUpstream();
  broken = await startEmulator({ chaos: 1, fault: "status=500" });
  both = await startBoth({
    cache: { enabled: true },
    providers: {
      held: { kind: "openai_compatible", base_url: upstream.url, prices: "openai" },
      broken: { kind: "openai_compatible", base_url: `${broken.url}/v1`, prices: "openai" },
    },
  });
});
afterAll(async () => {
  await both[Symbol.asyncDispose]();
  await broken.close();
  await upstream[Symbol.asyncDispose]();
});

const FAST = "openai/gpt-4o-mini";
const SLOW = "held/gpt-4o";
const BROKEN = "broken/gpt-4o";
const asking = (content: string, models: string[], more: object = {}) => ({
  request: { messages: [{ role: "user", content }], cache: "bypass" },
  models,
  ...more,
});
const identified = () => {
  const requestId = crypto.randomUUID();
  return { requestId, headers: { "x-request-id": requestId } };
};
const textOf = (events: readonly CompareEvent[], index: number) =>
  events
    .filter((one) => one.index === index)
    .map(({ event }) => event?.token ?? "")
    .join("");
const toldOf = (requestId: string) => both.log.events.filter(({ request_id }) => request_id === requestId);

describe.each(CALLERS)("$name", (caller) => {
  const conversation = () => caller.at(both.url);

  test("one that fails and one that is slow hold back nobody", async () => {
    const { requestId, headers } = identified();
    const events: CompareEvent[] = [];
    const request = asking("Hello", [SLOW, BROKEN, FAST]);
    const reading = (async () => {
      for await (const event of conversation().compare(request, { headers })) events.push(event);
    })();
    const held = await upstream.next();
    await vi.waitFor(() => expect(events.some(({ index, event }) => index === 2 && event?.done)).toBe(true));
    expect(textOf(events, 2)).toContain("This is the answer");
    expect(events.find(({ index }) => index === 1)).toMatchObject({
      model: BROKEN,
      event: { error: { kind: "provider_error", receipt: { provider: "broken", requestId } } },
    });
    expect(events.some(({ index }) => index === 0)).toBe(false);
    held.say("At last");
    await vi.waitFor(() => expect(textOf(events, 0)).toBe("At last"));
    held.end();
    await reading;
    const receipts = events.flatMap(({ event }) => event?.receipt ?? event?.error?.receipt ?? []);
    expect(receipts.map(({ provider }) => provider).sort()).toEqual(["broken", "held", "openai"]);
    const cost = receipts.reduce((sum, one) => sum + (one.cost?.actualPicoUsd ?? 0n), 0n);
    expect(cost).toBeGreaterThan(0n);
    const last = events.at(-1);
    expect(last).toMatchObject({ totals: { served: 2, failed: 1, costPicoUsd: cost } });
    expect(last?.index).toBeUndefined();
    await vi.waitFor(() => expect(toldOf(requestId)).toHaveLength(3));
    for (const told of toldOf(requestId)) expect(told).toMatchObject({ msg: "call", method: "Compare" });
  });

  test("a caller who leaves takes the work of all along", async () => {
    const { requestId, headers } = identified();
    const leaving = new AbortController();
    const request = asking("Hello", [SLOW, "held/gpt-4o-mini", "held/gpt-4.1"]);
    const events = conversation().compare(request, { headers, signal: leaving.signal });
    const reading = gather(events);
    const helds = [await upstream.next(), await upstream.next(), await upstream.next()];
    helds[1]?.say("Once");
    leaving.abort();
    await reading;
    for (const held of helds) await held.closed;
    await vi.waitFor(() => expect(toldOf(requestId)).toHaveLength(3));
    for (const told of toldOf(requestId))
      expect(told).toMatchObject({
        outcome: "abandoned",
        failure_kind: "cancelled",
        provenance: "estimated",
      });
  });

  test("it fails as a whole when no model answers, with what all of them have spent", async () => {
    const models = ["broken/gpt-4o", "broken/gpt-4o-mini"];
    const { gathered, error } = await gather(conversation().compare(asking("Hello", models)));
    expect(gathered).toEqual([]);
    expect(error?.code).toBe(Code.Unavailable);
    expect(error?.findDetails(ErrorInfoSchema)).toMatchObject([{ reason: "provider_error" }]);
    expect(error?.findDetails(ReceiptSchema)).toMatchObject([
      { model: "gpt-4o", attempts: [{ model: "gpt-4o" }, { model: "gpt-4o-mini" }] },
    ]);
  });

  test("a deadline ends all of it, and each tells what it had spent", async () => {
    const { requestId, headers } = identified();
    const request = asking("Hello", [SLOW, FAST]);
    const late = { ...request, request: { ...request.request, timeoutMs: 700 } };
    const reading = gather(conversation().compare(late, { headers }));
    const held = await upstream.next();
    const { gathered } = await reading;
    await held.closed;
    expect(gathered.find(({ index, event }) => index === 0 && event?.error)).toMatchObject({
      event: { error: { kind: "deadline_exceeded", receipt: { provider: "held", requestId } } },
    });
    expect(gathered.at(-1)).toMatchObject({ totals: { served: 1, failed: 1 } });
  });
});

test.each([
  ["models", asking("Hello", [FAST, FAST])],
  ["models", asking("Hello", [FAST])],
  ["models[1]", asking("Hello", [FAST, ""])],
  ["request", { models: [FAST, SLOW] }],
  ["request.messages", { models: [FAST, SLOW], request: {} }],
  ["request.model", { models: [FAST, SLOW], request: { ...asking("Hello", []).request, model: FAST } }],
  [
    "request.model_version",
    { models: [FAST, SLOW], request: { ...asking("Hello", []).request, modelVersion: "x" } },
  ],
])("what cannot be is refused by its field: %s", async (field, request) => {
  const [rest] = CALLERS;
  expect.assert(rest);
  const { error } = await gather(rest.at(both.url).compare(request));
  expect(error?.code).toBe(Code.InvalidArgument);
  expect(JSON.stringify(error?.details)).toContain(`"${field}"`);
});

test("a model that nobody knows fails by itself", async () => {
  const [rest] = CALLERS;
  const events = await Array.fromAsync(
    rest?.at(both.url).compare(asking("Hello", ["nobody/knows", FAST])) ?? [],
  );
  expect(events.find(({ index }) => index === 0)).toMatchObject({
    event: { error: { kind: "unknown_model" } },
  });
  expect(events.at(-1)).toMatchObject({ totals: { served: 1, failed: 1 } });
});

test("under a key, each model is asked once", async () => {
  const [rest] = CALLERS;
  const request = { messages: [{ role: "user", content: "Once" }], idempotencyKey: crypto.randomUUID() };
  const compare = () =>
    Array.fromAsync(rest?.at(both.url).compare({ request, models: [FAST, "claude"] }) ?? []);
  const [first, second] = [await compare(), await compare()];
  expect(first.at(-1)?.totals?.costPicoUsd).toBeGreaterThan(0n);
  expect(second.at(-1)?.totals).toMatchObject({ served: 2, costPicoUsd: 0n });
  expect(second.flatMap(({ event }) => event?.receipt?.cacheKind ?? [])).toEqual([
    "idempotent",
    "idempotent",
  ]);
  for (const index of [0, 1]) expect(textOf(second, index)).toBe(textOf(first, index));
});

test("the door's deadline is told after the models'", async () => {
  const reply = await fetch(`${both.url}/v1/gateway/compare`, {
    method: "POST",
    headers: { "content-type": "application/json", "connect-timeout-ms": "700" },
    body: JSON.stringify(asking("Hello", [SLOW, FAST])),
  });
  await (await upstream.next()).closed;
  const events = (await reply.text()).trimEnd().split("\n\n");
  const [name, data = ""] = events.at(-1)?.split("\n") ?? [];
  expect(name).toBe("event: error");
  expect(JSON.parse(data.replace("data: ", ""))).toMatchObject({ error: { kind: "deadline_exceeded" } });
  expect(events.at(-2)).toContain(
    '"index":0,"model":"held/gpt-4o","event":{"error":{"kind":"deadline_exceeded"',
  );
});
