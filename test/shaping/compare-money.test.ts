/** The money of a comparison: what it may cost, and that receipts, ledger and the providers' own meter say the same. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConnectError } from "@connectrpc/connect";
import { expect, onTestFinished, test } from "vitest";
import type { CompareEvent } from "../../gen/ts/llmgateway/v1/compare_pb.ts";
import { ReceiptSchema } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import type { PicoUsd } from "../../src/core/money.ts";
import { sharesOf } from "../../src/rpc/shares.ts";
import { meteredBy, providerOf } from "../money/exchanges.ts";
import { costOf } from "../money/prices.ts";
import { querySqlite, readLedger } from "../money/sqlite.ts";
import { CALLERS, type CompareInit } from "../support/callers.ts";
import { type GatewayUnderTest, startBoth } from "../support/gateway.ts";

const MODELS = ["openai/gpt-4o", "claude", "mistral", "openai/gpt-4o-mini"];
const messages = (content: string) => [{ role: "user", content }];

async function compare(
  { url }: GatewayUnderTest,
  request: CompareInit,
  requestId: string = crypto.randomUUID(),
) {
  const [rest] = CALLERS;
  const options = { headers: { "x-request-id": requestId } };
  return Array.fromAsync(rest?.at(url).compare(request, options) ?? []);
}

const receiptsOf = (events: readonly CompareEvent[]) =>
  events.flatMap(({ event }) => event?.receipt ?? event?.error?.receipt ?? []);
const spentBy = (events: readonly CompareEvent[]) =>
  receiptsOf(events).reduce((sum, { cost }) => sum + (cost?.actualPicoUsd ?? 0n), 0n);

test("receipts, totals, ledger and meter agree, and the ledger tells what belongs together", async () => {
  const folder = mkdtempSync(join(tmpdir(), "llmgateway-compare-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const both = await startBoth({ ledger: { data_dir: folder } });
  const ids = ["first", "second"];
  const all: CompareEvent[] = [];
  for (const [at, id] of ids.entries()) {
    const events = await compare(
      both,
      { request: { messages: messages(`Hello ${at}`) }, models: MODELS },
      id,
    );
    const receipts = receiptsOf(events);
    expect(receipts).toHaveLength(MODELS.length);
    const total = (figure: "inputTokens" | "outputTokens" | "totalTokens") =>
      receipts.reduce((sum, { cost }) => sum + (cost?.[figure] ?? 0), 0);
    expect(events.at(-1)?.totals).toMatchObject({
      served: 4,
      failed: 0,
      costPicoUsd: spentBy(events),
      inputTokens: total("inputTokens"),
      outputTokens: total("outputTokens"),
      totalTokens: total("totalTokens"),
    });
    all.push(...events);
  }
  const exchanges = [...both.emulator.meter.requests].filter(({ inputTokens }) => inputTokens > 0);
  expect(exchanges).toHaveLength(8);
  await both[Symbol.asyncDispose]();
  const metered = exchanges.map((one) => costOf(providerOf(one), one.model, meteredBy([one])) ?? -1n);
  const booked = readLedger(folder);
  const sum = (costs: readonly (bigint | undefined)[]) =>
    costs.reduce<bigint>((to, one) => to + (one ?? -1n), 0n);
  expect(spentBy(all)).toBeGreaterThan(0n);
  expect(sum(metered)).toBe(spentBy(all));
  expect(sum(booked.attempts.map(({ costPicoUsd }) => costPicoUsd))).toBe(spentBy(all));
  const calls = querySqlite(folder, "select request_id, method, call_id from calls order by started_at_ms");
  expect(calls.map(({ request_id, method }) => [request_id, method])).toEqual(
    ids.flatMap((id) => Array(4).fill([id, "Compare"])),
  );
  expect(new Set(calls.map(({ call_id }) => call_id)).size).toBe(8);
});

test("that all fail is told with what all have spent, and not as the cached answer that the first was given", async () => {
  const hook = { name: "words", kind: "blocklist", words: ["this"], on: ["stream", "reply"] };
  await using both = await startBoth({ cache: { enabled: true }, moderation: { hooks: [hook] } });
  const request = { messages: messages("Hello") };
  const [rest] = CALLERS;
  const models = ["openai/gpt-4o", "claude"];
  // It is kept, and refused each time.
  await rest
    ?.at(both.url)
    .chat({ ...request, model: "openai/gpt-4o" })
    .catch(() => {});
  const failure = await compare(both, { request, models }).catch(ConnectError.from);
  const [receipt] = (failure as ConnectError).findDetails(ReceiptSchema);
  expect(receipt).toMatchObject({
    cached: false,
    provider: "openai",
    attempts: [{ provider: "claude" }],
    cost: { savedPicoUsd: 0n },
  });
  expect(both.emulator.meter.requests).toHaveLength(2);
});

const meteredAt = ({ emulator }: GatewayUnderTest) =>
  emulator.meter.requests
    .map((one) => costOf(providerOf(one), one.model, meteredBy([one])) ?? 0n)
    .reduce((sum, one) => sum + one, 0n);

test.each([0.000_1, 0.001, 0.004, 0.02])("$%d over all are not exceeded", async (maxCostUsd) => {
  for (const words of [1, 400]) {
    await using both = await startBoth();
    const request = { messages: messages(`[[emulate: tokens=3000]] ${"word ".repeat(words)}`) };
    const events = await compare(both, { request, models: MODELS, maxCostUsd }).catch((error: unknown) => {
      expect(String(error)).toContain("max_cost_usd");
      return [];
    });
    expect(meteredAt(both)).toBeLessThanOrEqual(BigInt(Math.round(maxCostUsd * 1e12)));
    if (maxCostUsd < 0.02) continue;
    // None is starved for the sake of another: each was cut at about its part.
    expect(events.at(-1)).toMatchObject({ totals: { served: 4, failed: 0 } });
    expect(meteredAt(both)).toBeGreaterThan(BigInt(Math.round(maxCostUsd * 0.5e12)));
  }
});

test("the request's own ceiling holds for each model beside it", async () => {
  await using both = await startBoth();
  const request = { messages: messages("[[emulate: tokens=3000]] Hello"), maxCostUsd: 0.000_5 };
  const events = await compare(both, { request, models: MODELS, maxCostUsd: 1 });
  expect(meteredAt(both)).toBeLessThanOrEqual(4n * 500_000_000n);
  expect(receiptsOf(events).map(({ cost }) => (cost?.actualUsd ?? 1) < 0.000_6)).toEqual(Array(4).fill(true));
  expect(events.at(-1)?.totals).toMatchObject({ served: 4 });
});

test("a model without a price is refused under a ceiling, and the others are not", async () => {
  await using both = await startBoth();
  const models = ["openai/no-price-is-known", "openai/gpt-4o-mini"];
  const events = await compare(both, { request: { messages: messages("Hello") }, models, maxCostUsd: 0.01 });
  expect(events.find(({ index }) => index === 0)).toMatchObject({
    event: { error: { kind: "budget_exceeded", message: expect.stringContaining("has no known price") } },
  });
  expect(events.at(-1)?.totals).toMatchObject({ served: 1, failed: 1 });
});

test.each<[number, number[], number[]]>([
  [1_000, [1, 1, 2], [250, 250, 500]],
  [1_000, [0, 0, 0, 0], [250, 250, 250, 250]],
  [1_000_000, [0, 1_000], [9_900, 990_099]],
  [2, [5, 5, 5], [0, 0, 0]],
])("%d is divided by what is expected, %j: %j", (most, expected, shares) => {
  const pico = (amounts: number[]) => amounts.map((one) => BigInt(one) as PicoUsd);
  expect(sharesOf(BigInt(most) as PicoUsd, pico(expected))).toEqual(pico(shares));
});
