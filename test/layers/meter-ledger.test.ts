/** What the ledger is told of an attempt, and when an attempt waits for it. */
import { describe, expect, it } from "vitest";
import type { RoutedCall } from "../../src/core/call.ts";
import { Failure } from "../../src/core/failure.ts";
import type { Intent, Settlement } from "../../src/core/ledger.ts";
import { usage } from "../../src/core/usage.ts";
import { createLedger, type Ledger } from "../../src/cost/ledger.ts";
import type { Pricing } from "../../src/cost/means.ts";
import { priced } from "../../src/cost/price.ts";
import { meter } from "../../src/layers/meter.ts";
import { budgetOf } from "../support/budgets.ts";
import { eventsOf, replyOf, routedCallOf, spoken, TARGET } from "../support/call.ts";
import { VirtualClock } from "../support/clock.ts";
import { accountsOf, budgetsOf } from "../support/means.ts";
import { INPUT, OUTPUT, PRICE_VERSION, PRICING, priceOf } from "../support/prices.ts";
import { lastOf, type Serve, UNPRICED } from "./metered.ts";

const answering: Serve = async ({ attempt }) => {
  attempt.usage = usage("measured", { inputTokens: 5, outputTokens: 3 });
  return replyOf(spoken(["Hello"]));
};

/** A ledger on a store that keeps its rows here, or fails. */
function booked({ failing = false, budget = false, limitUsd = 1, pricing = PRICING } = {}) {
  const clock = new VirtualClock();
  const intents: Intent[] = [];
  const settlements: Settlement[] = [];
  const ledger: Ledger = createLedger({
    store: {
      async append(batch) {
        if (failing) throw new Error("the disk is full");
        // As they are now: a store does not keep what changes later.
        intents.push(...batch.intents.map((intent) => ({ ...intent, attempt: { ...intent.attempt } })));
        settlements.push(...batch.settlements);
      },
    },
    clock,
    maxWaitingRows: 100,
    whenFull: "wait",
    onLost: () => {},
    onError: () => {},
  });
  const budgets = budgetsOf(clock, budget ? [budgetOf({ limitUsd })] : []);
  const layer = meter(accountsOf(clock, { ledger, budgets, pricing }));
  return { clock, intents, settlements, ledger, layer };
}

describe("an attempt", () => {
  it("is told before it is sent and once it is settled, to whom it belongs and what it came to", async () => {
    const { layer, ledger, intents, settlements } = booked();
    const metadata = { team: "search", oops: "sk-proj-abcdefghijkl" };
    const request = { messages: [{ role: "user", content: "Hello" }], metadata };
    const call = routedCallOf({ request, context: { callId: "call-7", principal: "app", tenant: "acme" } });
    await eventsOf(await layer(answering)(call));
    await ledger.flush();
    expect(intents).toMatchObject([
      {
        callId: "call-7",
        requestId: "request-1",
        tenant: "acme",
        principal: "app",
        tags: { team: "search", oops: "[redacted]" },
        operation: "chat",
        attempt: { number: 1, provider: "openai", model: "gpt-4o", priceVersion: PRICE_VERSION },
      },
    ]);
    expect(settlements).toMatchObject([
      {
        callId: "call-7",
        attempt: { outcome: "ok", usage: { inputTokens: 5 }, actualPicoUsd: 5n * INPUT + 3n * OUTPUT },
      },
    ]);
  });

  it("keeps no key that was named as its model", async () => {
    const { layer, ledger, intents } = booked();
    const target = { ...UNPRICED, model: "sk-proj-abcdefghijkl" };
    await eventsOf(await layer(answering)(routedCallOf({ target })));
    await ledger.flush();
    expect(JSON.stringify(intents.map(({ attempt }) => attempt.model))).toBe('["[redacted]"]');
  });

  it("waits for nothing where no budget is about it", async () => {
    const { layer, intents } = booked();
    await layer(async (call) => {
      expect(intents).toEqual([]);
      return answering(call);
    })(routedCallOf());
  });

  it("is sent when its row is safe, where a hard budget is about it", async () => {
    const { layer, clock, intents } = booked({ budget: true });
    let safe = 0;
    const reply = layer(async (call) => {
      safe = intents.length;
      return answering(call);
    })(routedCallOf());
    await clock.advance(10);
    await reply;
    expect(safe).toBe(1);
    expect(intents[0]?.attempt.reservedPicoUsd).toBeGreaterThan(0n);
  });

  it("is not sent, and costs nothing, where a hard budget is about it and its row cannot be kept", async () => {
    const { layer, clock } = booked({ budget: true, failing: true });
    const call = routedCallOf();
    const refused = layer(() => Promise.reject(new Error("was sent")))(call).catch((error) => error);
    await clock.advance(10);
    expect(await refused).toMatchObject({ kind: "budget_unavailable" });
    expect(lastOf(call)).toMatchObject({ outcome: "failed", actualPicoUsd: 0n });
  });

  it.each(["cancelled", "deadline_exceeded"] as const)(
    "is not sent, and costs nothing, where its call ends before its row is safe: %s",
    async (kind) => {
      const { layer, clock, ledger, settlements } = booked({ budget: true });
      const leaving = new AbortController();
      const call = routedCallOf({ signal: leaving.signal });
      const left = layer(() => Promise.reject(new Error("was sent")))(call).catch((error) => error);
      await clock.advance(5);
      leaving.abort(new Failure(kind, "it is over"));
      expect(await left).toMatchObject({ kind });
      expect(lastOf(call)).toMatchObject({ usage: { provenance: "measured" }, actualPicoUsd: 0n });
      await ledger.flush();
      expect(settlements).toMatchObject([{ attempt: { failureKind: kind, actualPicoUsd: 0n } }]);
    },
  );
});

describe("an attempt at a model that has other prices from a time on", () => {
  const AT_MS = 2_000_000;
  const pricing: Pricing = { ...PRICING, find: (_, atMs) => priceOf(atMs < AT_MS ? "plain" : "free") };

  /** By the prices of when the ledger says that it began, as whoever prices it later does. */
  function expectAgreement({
    intents,
    settlements,
  }: Pick<ReturnType<typeof booked>, "intents" | "settlements">) {
    expect(settlements.length).toBe(intents.length);
    for (const { callId, attempt } of settlements) {
      const startedAtMs = intents.find((intent) => intent.callId === callId)?.startedAtMs ?? Number.NaN;
      const price = pricing.find(attempt, startedAtMs);
      expect(attempt.actualPicoUsd).toBe(price && attempt.usage && priced(price, attempt.usage)?.total);
    }
  }

  it("is priced by when it began itself, though its call began before", async () => {
    const { layer, clock, ledger, ...rows } = booked({ pricing });
    clock.step(AT_MS);
    await eventsOf(await layer(answering)(routedCallOf({ context: { startedAtMs: AT_MS - 1 } })));
    await ledger.flush();
    expect(rows.settlements[0]?.attempt.actualPicoUsd).toBe(0n);
    expectAgreement(rows);
  });

  it("is priced and held ready anew, where they change while it waits for money", async () => {
    const { layer, clock, ledger, ...rows } = booked({ pricing, budget: true, limitUsd: 0.011 });
    const [first, second] = ["first", "second"].map((callId) =>
      routedCallOf({ streaming: false, context: { callId } }),
    ) as [RoutedCall, RoutedCall];
    const { promise: answered, resolve: answer } = Promise.withResolvers<void>();
    const early = layer(async (call) => {
      await answered;
      return answering(call);
    })(first);
    await clock.advance(10);
    const late = layer(answering)(second);
    await clock.advance(10);
    clock.step(AT_MS);
    answer();
    await eventsOf(await early);
    await clock.advance(10);
    await eventsOf(await late);
    await ledger.flush();
    expect([lastOf(first), lastOf(second)]).toMatchObject([
      { actualPicoUsd: 5n * INPUT + 3n * OUTPUT },
      { actualPicoUsd: 0n, reservedPicoUsd: 0n },
    ]);
    expectAgreement(rows);
  });

  it("keeps the time and the prices of when it was sent, where it is taken up later", async () => {
    const { layer, clock, ledger, ...rows } = booked({ pricing });
    clock.step(AT_MS);
    const sent = { number: 1, atMs: AT_MS - 1, target: TARGET, route: undefined };
    const parking = { parked: { where: "there", sent }, park: async () => {} };
    await eventsOf(await layer(answering)({ ...routedCallOf(), parking }));
    await ledger.flush();
    expect(rows.intents[0]?.startedAtMs).toBe(AT_MS - 1);
    expectAgreement(rows);
  });
});
