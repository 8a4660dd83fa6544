/** The look at each hour once it is over, upon a real store, with a clock that a test moves. */
import { expect, onTestFinished, test } from "vitest";
import type { Anomaly } from "../../gen/ts/llmgateway/v1/usage_pb.ts";
import { usage } from "../../src/core/usage.ts";
import type { UsageStore } from "../../src/core/usage-store.ts";
import { watchSpend } from "../../src/cost/anomaly/watch.ts";
import { openStore, type Store } from "../../src/store/store.ts";
import { VirtualClock } from "../support/clock.ts";
import { batchOf, intentOf, settlementOf } from "../support/ledger.ts";
import { temporaryFolder } from "../support/stores.ts";
import { catalogAt, told } from "./months.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** The hour that is open at the begin. */
const OPEN = Date.UTC(2026, 6, 8, 14);
const TARGET = { provider: "openai", model: "large" };

/** An attempt in each of these hours, of so many tokens. */
async function book(store: Store, hours: readonly number[], inputTokens: number): Promise<void> {
  const usd = BigInt(inputTokens) * 2_500_000n;
  await store.ledger.append(
    batchOf({
      intents: hours.map((atMs) => intentOf(`call-${atMs}`, { startedAtMs: atMs + MINUTE, attempt: TARGET })),
      settlements: hours.map((atMs) => ({
        ...settlementOf(`call-${atMs}`, {
          ...TARGET,
          usage: usage("measured", { inputTokens }),
          actualPicoUsd: usd,
        }),
        settledAtMs: atMs + 2 * MINUTE,
      })),
    }),
  );
}

async function watched(weeks: number) {
  const store = await openStore({ dataDir: temporaryFolder(), instance: "here", onDeath: () => {} });
  onTestFinished(() => store.close());
  const hours = Array.from({ length: weeks * 7 * 24 }, (_, back) => OPEN - (back + 1) * HOUR);
  await book(store, hours, 2_000_000);
  const clock = new VirtualClock(OPEN + 30 * MINUTE);
  const terms = { enabled: true, rule: { ratio: 2, minUsd: 1 }, pricing: catalogAt(1) as CatalogOfTarget };
  const begun: Anomaly[] = [];
  const errors: unknown[] = [];
  /** How often the store was asked. */
  let asked = 0;
  let away = false;
  const counted: Pick<UsageStore, "usage"> = {
    usage: (query) => {
      asked++;
      return away ? Promise.reject(new Error("away")) : store.usage.usage(query);
    },
  };
  const watch = watchSpend({
    usage: counted,
    clock,
    inForce: () => ({
      ...terms,
      pricing: {
        version: terms.pricing.version,
        find: ({ provider, model }) => terms.pricing.find(provider, model),
      },
    }),
    onBegun: (anomaly) => begun.push(anomaly),
    onError: (error) => errors.push(error),
  });
  onTestFinished(() => watch.stop());
  const all = { sinceMs: 0, untilMs: Number.MAX_SAFE_INTEGER };
  /** The next look is over. */
  const look = async (afterMs = MINUTE) => {
    await expect.poll(() => clock.pending).toBe(1);
    await clock.advance(afterMs);
    await expect.poll(() => clock.pending).toBe(1);
  };
  await expect.poll(() => watch.expected.length).toBe(2);
  return {
    store,
    clock,
    terms,
    watch,
    begun,
    errors,
    look,
    known: () => watch.within(all).map(told),
    asked: () => asked,
    leave: (gone: boolean) => {
      away = gone;
    },
  };
}

type CatalogOfTarget = ReturnType<typeof catalogAt>;

test("a dear hour is told once, after it is over", async () => {
  const { store, watch, begun, look, known, asked } = await watched(5);
  expect(watch.expected.map(({ cost }) => cost)).toEqual([5e12, 5e12]);
  await book(store, [OPEN], 24_000_000);
  await look(20 * MINUTE);
  expect(begun).toEqual([]);
  await look(20 * MINUTE);
  expect(begun.map(told)).toEqual(["spend", "spend openai/large"]);
  expect(known()).toEqual(["spend openai/large", "spend"]);
  expect(watch.now).toHaveLength(2);
  const before = asked();
  for (let minute = 0; minute < 5; minute++) await look();
  expect(asked(), "the store is asked once an hour").toBe(before);
  await book(store, [OPEN + HOUR], 2_000_000);
  await look(HOUR);
  expect(begun).toHaveLength(2);
  expect(watch.now).toEqual([]);
  expect(known()).toHaveLength(2);
});

test("what was found is found anew at other prices, and not told again", async () => {
  const { store, terms, begun, look, known, watch } = await watched(5);
  await book(store, [OPEN], 24_000_000);
  await look(40 * MINUTE);
  expect(begun).toHaveLength(2);
  terms.pricing = catalogAt(3);
  await look();
  expect(known()).toEqual(["spend openai/large", "spend"]);
  expect(watch.now[0]?.usd).toBeCloseTo(55);
  expect(begun).toHaveLength(2);
  terms.rule = { ratio: 20, minUsd: 1 };
  await look();
  expect(known()).toEqual([]);
  terms.rule = { ratio: 2, minUsd: 1 };
  terms.enabled = false;
  await look();
  expect([known(), watch.expected]).toEqual([[], []]);
});

test("while the store does not answer what is known stays, and what was missed is told later", async () => {
  const { store, begun, errors, look, leave, watch } = await watched(5);
  await book(store, [OPEN, OPEN + HOUR], 24_000_000);
  leave(true);
  await look(40 * MINUTE);
  expect(errors).not.toEqual([]);
  expect(watch.expected).toHaveLength(2);
  await look(HOUR);
  leave(false);
  expect(begun).toEqual([]);
  await look();
  expect(begun.map(told)).toEqual(["spend", "spend openai/large"]);
  expect(begun.map(({ since }) => Number(since?.seconds) * 1_000)).toEqual([OPEN, OPEN]);
  expect(watch.within({ sinceMs: OPEN + HOUR, untilMs: OPEN + 2 * HOUR })).toHaveLength(2);
});
