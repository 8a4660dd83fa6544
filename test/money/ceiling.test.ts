/** A stream whose caller set the most that it may cost ends where that is used up, and so does the provider's work. */
import { describe, expect, test } from "vitest";
import type { StreamResponse } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { CALLERS } from "../support/callers.ts";
import { type GatewayUnderTest, startBoth } from "../support/gateway.ts";
import { Home } from "../support/home.ts";
import { DEAR, pennyPrices } from "./penny.ts";
import { costOf } from "./prices.ts";

const CEILING_USD = 0.02;
const CEILING_PICO_USD = 20_000_000_000n;

/** Slow enough that the provider can hear of it between two words. */
const SLOW = "flood=1 interval_ms=20";

describe.each(CALLERS.filter(({ protocol }) => protocol !== "grpc-web"))("over $name", ({ at }) => {
  test("it ends within one event of the ceiling, and the provider hears of it", async () => {
    using home = new Home("");
    await using both = await startBoth(pennyPrices(home));
    const events = await streamed(both, at, DEAR.model, `[[emulate: tokens=2000 ${SLOW} no_usage=1]] Go on`);
    const last = events.at(-1);
    expect(last).toMatchObject({ done: true, finishReason: "budget_exceeded" });
    const totals = events.map(({ costPicoUsd }) => costPicoUsd ?? 0n);
    const before = totals.at(-3) ?? 0n;
    expect(before).toBeLessThan(CEILING_PICO_USD);
    // No event brings more than its own word.
    const dearest = totals.slice(1, -1).reduce((most, total, index) => {
      const own = total - (totals[index] ?? 0n);
      return own > most ? own : most;
    }, 0n);
    expect(totals.at(-2) ?? 0n).toBeLessThan(CEILING_PICO_USD + dearest);
    await both.emulator.meter.ended(1);
    const [exchange] = both.emulator.meter.requests;
    expect(exchange?.outcome).toBe("aborted");
    expect(exchange?.outputTokens).toBeLessThan(2_000);
    const booked = last?.receipt?.attempts[0];
    expect(booked?.usage?.provenance).toBe("estimated");
    expect(booked?.actualPicoUsd).toBeGreaterThanOrEqual(
      BigInt(exchange?.outputTokens ?? 0) * DEAR.picoPerToken,
    );
  });
});

test("what is thought unseen cannot pass the ceiling by more than the clamp allows", async () => {
  await using both = await startBoth();
  const [rest] = CALLERS;
  if (!rest) throw new Error("there is no REST");
  const ceilingUsd = 0.0005;
  const parameters = { reasoningEffort: "high" };
  const gateway = rest.at(both.url);
  const messages = [{ role: "user", content: "Think hard, then go on" }];
  const request = { model: "openai/gpt-5-mini", messages, parameters, maxCostUsd: ceilingUsd };
  const events = await Array.fromAsync(gateway.stream(request));
  await both.emulator.meter.ended(1);
  const [exchange] = both.emulator.meter.requests;
  if (!exchange) throw new Error("nothing was asked of the provider");
  const receipt = events.at(-1)?.receipt;
  const metered = costOf("openai", "gpt-5-mini", exchange) ?? -1n;
  expect(exchange.reasoningTokens).toBeGreaterThan(0);
  expect(receipt?.cost?.actualPicoUsd).toBe(metered);
  expect(metered).toBeLessThanOrEqual(BigInt(ceilingUsd * 1e12));
  expect(receipt?.cost?.reasoningTokens).toBe(exchange.reasoningTokens);
});

function streamed(
  { url }: GatewayUnderTest,
  at: (typeof CALLERS)[number]["at"],
  model: string,
  content: string,
): Promise<StreamResponse[]> {
  const messages = [{ role: "user", content }];
  return Array.fromAsync(at(url).stream({ model, messages, maxCostUsd: CEILING_USD }));
}
