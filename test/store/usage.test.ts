/** What was spent is told exactly on both engines, whatever of it is in rows and in sums. */
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import type { CallRow, Intent, Settlement } from "../../src/core/ledger.ts";
import { usage } from "../../src/core/usage.ts";
import type { BookedAttempt, Dimension, UsageQuery } from "../../src/core/usage-store.ts";
import type { Store } from "../../src/store/store.ts";

import { batchOf, callRowOf, intentOf, receiptWith, settlementOf } from "../support/ledger.ts";
import { engines } from "../support/stores.ts";
import { bruteForce, inOrder, rowsIn } from "../usage/brute.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** A day's begin. */
const DAY_0 = 20_000 * DAY;
const EVER: UsageQuery = { sinceMs: 0, untilMs: DAY_0 + 100 * DAY, groupBy: [], filter: {} };
const ODD = 'a "b" .$[0] \\ ä \x1f\' %';

describe.each(engines("usage"))("usage on $name", (engine) => {
  afterAll(() => engine.stop());

  it("is what the rows come to, by anything and of anything, whatever is summed already", async () => {
    const place = await engine.place();
    const gone = await place.open("gone");
    const rows = fc.sample(traffic, { seed: 7, numRuns: 1 })[0] ?? [];
    const settled = rows.flatMap(({ settlement, late }) => (settlement && !late ? [settlement] : []));
    await gone.ledger.append(
      batchOf({
        intents: rows.map(({ intent }) => intent),
        settlements: settled,
        calls: rows.map(({ call }) => call),
      }),
    );
    const check = async (store: Store, seed: number) => {
      const kept = await rowsIn(place);
      const right = fc.asyncProperty(query, async (asked) => {
        expect(inOrder(await store.usage.usage(asked))).toEqual(bruteForce(kept, asked));
      });
      await fc.assert(right, { seed, numRuns: 25 });
    };
    await check(gone, 1);
    await gone.ledger.rollUp(DAY_0 + 1.5 * DAY, 0);
    await check(gone, 2);
    // Some are adjusted, up and down, and some of them twice.
    for (const [bookings, sign] of [1n, -1n].entries()) {
      const booking = {
        id: `${sign}`,
        bookedAtMs: 1,
        bookedBy: "operator",
        reason: "why",
        priceVersion: "2",
      };
      const adjusted = rows.filter(({ settlement }, index) => settlement && index % (3 + bookings) === 0);
      await gone.adjustments.book(
        booking,
        adjusted.map((row, index) => adjustedOf(row, sign * (2n ** 50n + BigInt(index)))),
        bookings,
      );
    }
    await check(gone, 6);
    await gone.close();
    const here = await place.open("here");
    expect(await here.ledger.closeOrphans(DAY_0 + 4 * DAY)).toBeGreaterThan(0);
    await here.ledger.rollUp(DAY_0 + 2.2 * DAY, 0);
    await check(here, 3);
    // Some that were booked as unknown, and summed, are known after all.
    const late = rows.flatMap(({ settlement, late }) => (settlement && late ? [settlement] : []));
    await here.ledger.append(batchOf({ settlements: late }));
    await check(here, 4);
    await here.ledger.rollUp(DAY_0 + 5 * DAY, 0);
    await check(here, 5);
    const all = await here.usage.usage({ ...EVER, groupBy: ["day", "model"] });
    await here.ledger.rollUp(DAY_0 + 5 * DAY, DAY_0 + 5 * DAY);
    expect(await place.rows("SELECT count(*) AS n FROM attempts")).toEqual([{ n: 0n }]);
    expect(inOrder(await here.usage.usage({ ...EVER, groupBy: ["day", "model"] }))).toEqual(inOrder(all));
  });

  it("has no groups where there is nothing, and one without a grouping", async () => {
    const place = await engine.place();
    const { ledger, usage: reading } = await place.open();
    expect(await reading.usage(EVER)).toEqual([]);
    await ledger.append(batchOf({ intents: [intentOf("open")] }));
    expect(await reading.usage(EVER)).toEqual([]);
    await ledger.append(batchOf({ settlements: [settlementOf("open")] }));
    expect(await reading.usage(EVER)).toMatchObject([{ group: [], attempts: 1, costPicoUsd: 500n }]);
  });

  it("sums beyond 64 bits", async () => {
    const { ledger, usage: reading } = await (await engine.place()).open();
    const most = 2n ** 63n - 1n;
    const ids = ["a", "b", "c"];
    await ledger.append(
      batchOf({
        intents: ids.map((id) => intentOf(id)),
        settlements: ids.map((id) => settlementOf(id, { actualPicoUsd: most })),
      }),
    );
    expect(await reading.usage(EVER)).toMatchObject([{ costPicoUsd: 3n * most }]);
  });

  it("takes a day's attempts from the sums of days, which are those of its hours", async () => {
    const place = await engine.place();
    const { ledger, usage: reading } = await place.open();
    const ids = Array.from({ length: 48 }, (_, hour) => `${hour}`);
    await ledger.append(
      batchOf({
        intents: ids.map((id) => intentOf(id, { startedAtMs: DAY_0 + Number(id) * HOUR })),
        settlements: ids.map((id) => settlementOf(id)),
      }),
    );
    await ledger.rollUp(DAY_0 + 2 * DAY, DAY_0 + 2 * DAY);
    const hours = await reading.usage({ ...EVER, groupBy: ["day", "hour"] });
    expect(hours.map(({ attempts }) => attempts)).toEqual(ids.map(() => 1));
    expect(await place.rows("SELECT attempts FROM spend_days ORDER BY day_ms")).toEqual([
      { attempts: 24n },
      { attempts: 24n },
    ]);
    expect(inOrder(await reading.usage({ ...EVER, groupBy: ["day"] }))).toMatchObject([
      { group: [new Date(DAY_0).toISOString().slice(0, 10)], attempts: 24 },
      { attempts: 24 },
    ]);
  });

  it("hands out attempts as they were booked, a page at a time", async () => {
    const place = await engine.place();
    const { ledger, usage: reading } = await place.open();
    const ids = ["d", "b", "c", "a", "open"];
    const intents = ids.map((id, index) =>
      intentOf(id, { startedAtMs: DAY_0 + Math.floor(index / 2) * HOUR, tags: { [ODD]: id } }),
    );
    const used = usage("estimated", {
      inputTokens: 10,
      outputTokens: 3,
      imageInputTokens: 2,
      serviceTier: "flex",
    });
    const item = { kind: "input", count: 10n, unitPicoUsd: 2n ** 60n, picoUsd: 2n ** 61n + 1n };
    const lineItems = [{ $typeName: "llmgateway.v1.LineItem", ...item } as const];
    const first = { usage: used, lineItems, latencyMs: 12, firstEventMs: 7, actualPicoUsd: 2n ** 61n + 1n };
    const second = intentOf("d", { startedAtMs: DAY_0, attempt: { number: 2, trigger: "retry" } });
    await ledger.append(
      batchOf({
        intents: [...intents, second],
        settlements: [
          ...ids.slice(0, 4).map((id) => settlementOf(id, id === "b" ? first : {})),
          settlementOf("d", { number: 2, usage: undefined as never, actualPicoUsd: undefined as never }),
        ],
      }),
    );
    await ledger.rollUp(DAY_0 + HOUR, 0);
    const period = { sinceMs: DAY_0, untilMs: DAY_0 + DAY };
    const pages: BookedAttempt[][] = [];
    let after: string | undefined;
    do {
      const page = await reading.attempts(period, { size: 2, after });
      pages.push([...page.rows]);
      after = page.next;
    } while (after !== undefined);
    const names = (rows: readonly BookedAttempt[]) =>
      rows.map(({ callId, attempt }) => `${callId}${attempt.number}`);
    expect(pages.map(names)).toEqual([["b1", "d1"], ["d2", "a1"], ["c1"]]);
    const [one, , two] = pages.flat();
    const { trigger, reservedPicoUsd } = intents[1]?.attempt ?? {};
    expect(one).toMatchObject({
      callId: "b",
      requestId: "request of b",
      startedAtMs: DAY_0,
      settledAtMs: 1_000_100,
      tags: { [ODD]: "b" },
      operation: "chat",
      route: "explicit",
      state: "settled",
      attempt: { number: 1, provider: "openai", model: "gpt-4o", trigger, reservedPicoUsd, ...first },
    });
    expect(two?.attempt).toMatchObject({ trigger: "retry" });
    expect(two?.attempt).not.toHaveProperty("usage");
    expect(two?.attempt).not.toHaveProperty("actualPicoUsd");
    const later = await reading.attempts(
      { sinceMs: DAY_0 + 1, untilMs: DAY_0 + HOUR },
      { size: 9, after: undefined },
    );
    expect(later).toEqual({ rows: [], next: undefined });
  });

  it("lists calls, the latest first, and finds one with its attempts", async () => {
    const place = await engine.place();
    const { ledger, usage: reading } = await place.open();
    const ids = ["a", "b", "c", "d", "e"];
    const calls = ids.map((id, index) =>
      callRowOf(id, {
        startedAtMs: DAY_0 + Math.floor(index / 2) * HOUR,
        tags: index === 3 ? {} : { [ODD]: "x" },
        outcome: index === 2 ? "failed" : "ok",
        failureKind: index === 2 ? "cut" : "",
        receipt: receiptWith({ requestId: id === "e" ? "request-a" : `request-${id}` }),
      }),
    );
    const attempts = ["a", "e", "lost"].map((id) => intentOf(id, { startedAtMs: DAY_0 }));
    await ledger.append(
      batchOf({
        intents: [...attempts, intentOf("e", { attempt: { number: 2 } })],
        settlements: [settlementOf("e")],
        calls,
      }),
    );
    await ledger.rollUp(DAY_0 + HOUR, 0);
    const period = { sinceMs: DAY_0, untilMs: DAY_0 + DAY };
    const listed = async (filter = {}, size = 10) => {
      const found: string[][] = [];
      let after: string | undefined;
      do {
        const page = await reading.requests({ ...period, ...filter }, { size, after });
        found.push(page.rows.map(({ callId }) => callId));
        after = page.next;
      } while (after !== undefined);
      return found;
    };
    expect(await listed({}, 2)).toEqual([["e", "d"], ["c", "b"], ["a"]]);
    expect(await listed({ outcome: "failed" })).toEqual([["c"]]);
    expect(await listed({ failureKind: "cut", tags: { [ODD]: "x" } })).toEqual([["c"]]);
    expect(await listed({ tags: { [ODD]: "" } })).toEqual([["d"]]);
    expect(await listed({ untilMs: DAY_0 + HOUR })).toEqual([["b", "a"]]);
    expect(await listed({ model: "none" })).toEqual([[]]);
    await expect(reading.requests(period, { size: 1, after: "nonsense" })).rejects.toThrow("page_token");

    const found = await reading.request("request-a");
    expect(found?.call).toMatchObject({ callId: "e", requestId: "request-a", method: "Chat", outcome: "ok" });
    expect(found?.attempts.map(({ attempt }) => attempt.number)).toEqual([1, 2]);
    expect((await reading.request("a"))?.call?.callId).toBe("a");
    const lost = await reading.request("lost");
    expect(lost?.call).toBeUndefined();
    expect(lost?.attempts).toHaveLength(1);
    expect(await reading.request("none\0")).toBeUndefined();
  });
});

function adjustedOf({ intent }: ReturnType<typeof rowsOf>, picoUsd: bigint) {
  const { tenant, principal, operation: what, route: way, tags: labels, startedAtMs, attempt } = intent;
  const hourMs = startedAtMs - (startedAtMs % HOUR);
  const { provider, model } = attempt;
  const key = { tenant, principal, provider, model, operation: what, route: way, tags: labels };
  return { ...key, hourMs, priceVersionFrom: "1", picoUsd };
}

const tags = fc.record(
  { team: fc.constantFrom("a", "b"), [ODD]: fc.constantFrom("x", "") },
  { requiredKeys: [] },
);
const filterOf = {
  tenant: ["red", "blue"],
  principal: ["k1", "k2"],
  provider: ["openai", "claude"],
  model: ["m1", "m2"],
};
const operation = fc.constantFrom("chat", "embeddings" as const);
const route = fc.constantFrom("explicit", "alias:fast");
const chosen = fc.record(
  Object.fromEntries(Object.entries(filterOf).map(([name, values]) => [name, fc.constantFrom(...values)])),
);

/** Three days of attempts and calls; some are open to the end, and some are settled late. */
const traffic = fc
  .array(
    fc
      .record({
        startedAtMs: fc.integer({ min: DAY_0, max: DAY_0 + 3 * DAY }),
        who: chosen,
        tags,
        operation,
        route,
        over: fc.boolean(),
        late: fc.boolean(),
        outcome: fc.constantFrom("ok", "ok", "failed", "abandoned"),
        provenance: fc.constantFrom("measured", "estimated" as const),
        latencyMs: fc.integer({ min: 0, max: 1_000_000 }),
        cost: fc.option(fc.bigInt({ min: 0n, max: 2n ** 50n }), { nil: undefined }),
        saved: fc.bigInt({ min: 0n, max: 10n ** 12n }),
        tokens: fc.integer({ min: 0, max: 5_000 }),
      })
      .map((drawn) => drawn),
    { minLength: 400, maxLength: 400 },
  )
  .map((all) => all.map(rowsOf));

interface Drawn {
  readonly startedAtMs: number;
  readonly who: Record<string, string>;
  readonly tags: Record<string, string>;
  readonly operation: "chat" | "embeddings";
  readonly route: string;
  readonly over: boolean;
  readonly late: boolean;
  readonly outcome: string;
  readonly provenance: "measured" | "estimated";
  readonly latencyMs: number;
  readonly cost: bigint | undefined;
  readonly saved: bigint;
  readonly tokens: number;
}

function rowsOf(drawn: Drawn, index: number) {
  const { who, tags: labels, startedAtMs, operation: what, route: way, tokens } = drawn;
  const { tenant = "", principal = "", provider = "", model = "" } = who;
  const id = `call-${index}`;
  const payer = { tenant, principal, tags: labels, startedAtMs, operation: what };
  const intent: Intent = intentOf(id, { ...payer, route: way, attempt: { provider, model } });
  const [policy = "", name = ""] = way.split(":");
  const call: CallRow = callRowOf(id, {
    ...payer,
    outcome: drawn.outcome === "ok" ? "ok" : "failed",
    receipt: receiptWith({
      provider,
      model,
      policy,
      name,
      savedPicoUsd: drawn.saved,
      cacheKind: drawn.late ? "exact" : "",
    }),
  });
  const settlement: Settlement | undefined =
    drawn.over || drawn.late
      ? settlementOf(id, {
          outcome: drawn.outcome,
          latencyMs: drawn.latencyMs,
          usage: usage(drawn.provenance, {
            inputTokens: tokens,
            cachedInputTokens: tokens >> 1,
            outputTokens: tokens >> 2,
          }),
          actualPicoUsd: drawn.cost as never,
        })
      : undefined;
  return { intent, call, settlement, late: drawn.late };
}

const dimensions: readonly Dimension[] = [
  "provider",
  "model",
  "operation",
  "tenant",
  "key",
  "route",
  "hour",
  "day",
  "tag:team",
  `tag:${ODD}`,
  "tag:none",
];

const query: fc.Arbitrary<UsageQuery> = fc
  .record({
    sinceMs: fc.integer({ min: DAY_0 - HOUR, max: DAY_0 + 3 * DAY }),
    lengthMs: fc.integer({ min: 0, max: 3 * DAY }),
    groupBy: fc.subarray([...dimensions]),
    filter: fc.record(
      {
        ...Object.fromEntries(
          Object.entries(filterOf).map(([name, values]) => [name, fc.constantFrom(...values)]),
        ),
        operation,
        route,
        tags,
      },
      { requiredKeys: [] },
    ),
  })
  .map(({ sinceMs, lengthMs, groupBy, filter }) => ({
    sinceMs,
    untilMs: sinceMs + lengthMs,
    groupBy,
    filter,
  }));
