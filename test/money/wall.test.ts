/**
 * The wall: a budget of a dollar, and two thousand calls at once of a cent each. What is spent never exceeds the
 * dollar, and nearly all of it can be spent: in one process, and in two that share a Redis.
 */
import { ConnectError } from "@connectrpc/connect";
import { describe, expect, test, vi } from "vitest";
import { ErrorInfoSchema } from "../../gen/ts/google/rpc/error_details_pb.ts";
import { CALLERS, type Conversation } from "../support/callers.ts";
import { samplesOf, sumOf } from "../support/exposition.ts";
import { Home } from "../support/home.ts";
import type { GatewayProcess } from "../support/process.ts";
import { hasRedis, startRedis } from "../support/redis.ts";
import { AS_DEAR, DEAR, pennyPrices, USUAL } from "./penny.ts";
import { againAndElsewhere } from "./policies.ts";
import { metricsOf, startEmulatorProcess } from "./rig.ts";

const CALLS = 2_000;
const LIMIT_PICO_USD = 1_000_000_000_000n;
const CENT = LIMIT_PICO_USD / 100n;
const LONGEST_MS = 120_000;
/** A hundred tokens a second: a provider without any measure has written all before anybody can stop it. */
const PACE = { "pace-ms": 10 };

/** Starts the gateways that share the budget, and gives them up at the end. */
type Use = (
  check: (gateways: readonly GatewayProcess[], emulator: Emulator) => Promise<void>,
) => Promise<void>;
type Emulator = Awaited<ReturnType<typeof startEmulatorProcess>>;

const inMemory: Use = async (check) => {
  await using emulator = await startEmulatorProcess(PACE);
  using home = new Home(emulator.url);
  await using gateway = await home.start(budgeted(home));
  await check([gateway], emulator);
};

const onRedis: Use = async (check) => {
  if (!hasRedis("the wall of several gateways")) return;
  await using emulator = await startEmulatorProcess(PACE);
  await using redis = await startRedis();
  using home = new Home(emulator.url);
  using other = new Home(emulator.url);
  const env = { REDIS_URL: redis.url };
  await using one = await home.start(budgeted(home), env);
  await using two = await other.start(budgeted(other), env);
  await check([one, two], emulator);
};

function budgeted(home: Home): object {
  return { ...pennyPrices(home), budgets: [{ name: "wall", limit_usd: 1, per: "month" }] };
}

describe.each([
  ["in memory", inMemory],
  ["two gateways on Redis", onRedis],
])("%s", (_, use) => {
  test("calls of a cent: never more than the dollar, and at least 99 of them", { timeout: LONGEST_MS }, () =>
    use(async (gateways, emulator) => {
      const ends = await rush(gateways, async (gateway) => {
        const parameters = { maxTokens: DEAR.tokensPerCent };
        const messages = [{ role: "user", content: "A cent for your thoughts" }];
        return (await gateway.chat({ model: DEAR.model, messages, parameters })).cost?.actualPicoUsd;
      });
      const { [String(CENT)]: served = 0, ...others } = counted(ends);
      expect(Object.keys(others)).toEqual(["budget_exceeded"]);
      expect(served).toBeGreaterThanOrEqual(99);
      expect(served).toBeLessThanOrEqual(100);
      expect((await emulator.totals()).served).toBe(served);
      expect(await settled(gateways)).toBe(CENT * BigInt(served));
    }),
  );

  test(
    "streams of unknown length: never more than the dollar, and at least 99 cents",
    { timeout: LONGEST_MS },
    () =>
      use(async (gateways, emulator) => {
        const ends = await rush(gateways, async (gateway) => {
          const messages = [{ role: "user", content: `[[emulate: tokens=${USUAL.tokensPerCent}]] Go on` }];
          let told: bigint | undefined;
          for await (const { receipt, error } of gateway.stream({ model: USUAL.model, messages })) {
            // Who waited for long enough has the headers by then, and is told behind them.
            if (error) return error.kind;
            told = receipt?.cost?.actualPicoUsd;
          }
          return told;
        });
        const spent = ends.reduce<bigint>((sum, end) => (typeof end === "bigint" ? sum + end : sum), 0n);
        const refusals = ends.filter((end) => typeof end !== "bigint");
        expect(Object.keys(counted(refusals))).toEqual(["budget_exceeded"]);
        expect(spent).toBeLessThanOrEqual(LIMIT_PICO_USD);
        expect(spent).toBeGreaterThanOrEqual((LIMIT_PICO_USD * 99n) / 100n);
        expect(await settled(gateways)).toBe(spent);
        const metered = BigInt((await emulator.totals()).outputTokens) * USUAL.picoPerToken;
        expect(metered).toBeLessThanOrEqual(spent);
      }),
  );
});

test("calls that are made twice, again and elsewhere never cost more than the dollar, and use it up", {
  timeout: LONGEST_MS,
}, async () => {
  // Answers last longer than anybody waits before a second attempt.
  await using emulator = await startEmulatorProcess({ chaos: 0.3, profile: "refuse", "first-token-ms": 100 });
  using home = new Home(emulator.url);
  await using gateway = await home.start({ ...budgeted(home), ...againAndElsewhere([AS_DEAR.model]) });
  const ends = await rush([gateway], async (conversation) => {
    const parameters = { maxTokens: DEAR.tokensPerCent };
    const messages = [{ role: "user", content: "A cent for your thoughts" }];
    return (await conversation.chat({ model: DEAR.model, messages, parameters })).cost?.actualPicoUsd;
  });
  const costs = ends.filter((end) => typeof end === "bigint");
  const { budget_exceeded: refused = 0 } = counted(ends);
  // Whoever was answered had it at one price, or at two where both attempts were paid for.
  expect(Object.keys(counted(costs)).filter((cost) => ![CENT, 2n * CENT].includes(BigInt(cost)))).toEqual([]);
  expect(refused).toBeGreaterThan(CALLS - 150);
  const spent = await settled([gateway]);
  expect(spent).toBeLessThanOrEqual(LIMIT_PICO_USD);
  expect(spent).toBeGreaterThanOrEqual(99n * CENT);
  const { served, outputTokens } = await emulator.totals();
  expect(served).toBeGreaterThanOrEqual(costs.length);
  expect(BigInt(outputTokens) * DEAR.picoPerToken).toBeLessThanOrEqual(spent);
  const metrics = await metricsOf(gateway);
  // Whether there is money for a second attempt hangs on who takes first what a failed one gave back.
  expect(sumOf(metrics, "llm_hedged_requests_total")).toBeGreaterThan(0);
  expect(sumOf(metrics, "llm_retries_total")).toBeGreaterThan(0);
});

type End = bigint | string | undefined;

/** All at once, in turns to each gateway: what each call cost, or why it was refused. */
function rush(
  gateways: readonly GatewayProcess[],
  call: (gateway: Conversation) => Promise<End>,
): Promise<End[]> {
  const conversations = gateways.flatMap(({ url }) =>
    CALLERS.filter(({ name }) => EASY.has(name)).map((caller) => caller.at(url)),
  );
  return Promise.all(
    Array.from({ length: CALLS }, async (_, index): Promise<End> => {
      const gateway = conversations[index % conversations.length];
      if (!gateway) throw new Error("there is no gateway");
      try {
        return await call(gateway);
      } catch (error) {
        const refusal = ConnectError.from(error);
        return refusal.findDetails(ErrorInfoSchema)[0]?.reason ?? refusal.message;
      }
    }),
  );
}

/** How many calls ended in each way. */
function counted(ends: readonly End[]): Record<string, number> {
  const groups = Map.groupBy(ends, String);
  return Object.fromEntries([...groups].map(([end, { length }]) => [end, length]));
}

/** Those that take so many at once without a connection for each. */
const EASY = new Set(["REST and SSE", "Connect in binary", "gRPC"]);

/** What all gateways have settled, in pico-USD, once nothing is held back any more. */
async function settled(gateways: readonly GatewayProcess[]): Promise<bigint> {
  await vi.waitFor(
    async () => {
      for (const gateway of gateways) {
        const metrics = await metricsOf(gateway);
        expect(Object.values(samplesOf(metrics, "llm_budget_reserved_usd"))).toEqual([0]);
      }
    },
    { timeout: 5_000 },
  );
  let usd = 0;
  for (const gateway of gateways)
    for (const value of Object.values(samplesOf(await metricsOf(gateway), "llm_cost_usd_total")))
      usd += value;
  return BigInt(Math.round(usd * 1e12));
}
