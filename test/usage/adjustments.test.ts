/** Corrections that are booked: reports come to what every attempt costs by the new prices, once, whoever books and dies. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Client } from "pg";
import { afterAll, describe, expect, it } from "vitest";
import {
  type BookAdjustmentsRequest,
  BookAdjustmentsRequestSchema,
  type BookAdjustmentsResponse,
} from "../../gen/ts/llmgateway/v1/adjustment_pb.ts";
import { usage } from "../../src/core/usage.ts";
import type { Dimension } from "../../src/core/usage-store.ts";
import { loadCatalog } from "../../src/cost/catalog.ts";
import { mulberry32 } from "../../src/emulator/random.ts";
import { adjustmentHandlers } from "../../src/rpc/adjustment-handlers.ts";
import type { Store } from "../../src/store/store.ts";
import { batchOf, intentOf, settlementOf } from "../support/ledger.ts";
import { engines, type Place } from "../support/stores.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const DAY_0 = 20_000 * DAY;
const DAYS = 3;
const NOW = DAY_0 + DAYS * DAY + HOUR / 2;
const PERIOD = { sinceMs: DAY_0, untilMs: DAY_0 + DAYS * DAY };

/** Pico-USD a token, read and written; what a catalog lacks has no price. */
type Rates = Readonly<Record<string, readonly [bigint, bigint]>>;
const BOOKED: Rates = { m1: [1_000_000n, 10_000_000n], m2: [500_000n, 2_000_000n] };
const DEARER: Rates = {
  m1: [3_000_000n, 11_000_000n],
  m2: [400_000n, 2_000_000n],
  m3: [7_000_000n, 7_000_000n],
};

function catalogOf(version: string, rates: Rates): string {
  const models = Object.fromEntries(
    Object.entries(rates).map(([model, [input, output]]) => [
      model,
      { input_per_1k_tokens: Number(input) / 1e9, output_per_1k_tokens: Number(output) / 1e9 },
    ]),
  );
  return JSON.stringify({ version, last_updated: "2026-01-01", providers: { openai: models } });
}

/** Attempts of three days by all that tells them apart; some have no price, and of some nothing is known. */
function traffic(size: number) {
  const random = mulberry32(11);
  const one = <T>(...of: readonly T[]) => of[Math.floor(random() * of.length)] as T;
  return Array.from({ length: size }, (_, index) => {
    const model = one("m1", "m1", "m2", "m3");
    const [inputTokens, outputTokens] = [Math.floor(random() * 900), Math.floor(random() * 300)];
    const rates = BOOKED[model];
    const cost = rates && rates[0] * BigInt(inputTokens) + rates[1] * BigInt(outputTokens);
    const known = random() > 0.05;
    const id = `call-${String(index).padStart(5, "0")}`;
    return {
      intent: intentOf(id, {
        startedAtMs: DAY_0 + Math.floor(random() * DAYS * DAY),
        tenant: one("red", "blue"),
        principal: one("k1", "k2"),
        tags: one<Record<string, string>>({}, { team: "a" }, { team: "b", project: "p" }),
        operation: one("chat", "embeddings"),
        route: one("explicit", "alias:fast"),
        attempt: { provider: "openai", model, priceVersion: one("1", "1.1") },
      }),
      settlement: settlementOf(id, {
        provider: "openai",
        model,
        priceVersion: "1",
        usage: known ? usage("measured", { inputTokens, outputTokens }) : usage("unknown"),
        actualPicoUsd: (known ? cost : undefined) as never,
      }),
    };
  });
}

function booker({ usage: reading, adjustments, ledger }: Store, principal = "operator") {
  const [[, handler] = []] = adjustmentHandlers({
    usage: reading,
    adjustments,
    flush: async () => {},
    clock: { now: () => NOW },
    prices: (json) => {
      const catalog = loadCatalog(json, "catalog");
      const find = (target: { provider: string; model: string }, atMs: number) =>
        catalog.find(target.provider, target.model, "", atMs);
      return { version: catalog.version, json, find };
    },
    keepCatalog: (version, json) => ledger.keepCatalog(version, json, NOW),
  });
  let calls = 0;
  return async (catalog: string, times: Partial<typeof PERIOD> = {}): Promise<BookAdjustmentsResponse> => {
    const { sinceMs, untilMs } = { ...PERIOD, ...times };
    const request: BookAdjustmentsRequest = create(BookAdjustmentsRequestSchema, {
      since: timestampFromMs(sinceMs),
      until: timestampFromMs(untilMs),
      catalog,
      reason: "the list was wrong",
    });
    const callId = `${principal}-${calls++}`;
    const context = { callId, principal, signal: new AbortController().signal };
    const reply = await handler?.(request, context as never);
    return reply?.message as BookAdjustmentsResponse;
  };
}

const GROUPS: readonly (readonly Dimension[])[] = [
  [],
  ["model"],
  ["day", "provider", "model"],
  ["hour", "operation"],
  ["tenant", "key", "route"],
  ["tag:team", "tag:project", "day"],
];

describe.each(engines("adjustments"))("a corrected past on $name", (engine) => {
  afterAll(() => engine.stop());

  /** What attempts cost, by going through their rows one by one with the rates alone. */
  const worth = async (place: Place, rates: Rates, groupBy: readonly Dimension[]) => {
    const sums = new Map<string, bigint>();
    for (const row of await place.rows("SELECT * FROM attempts WHERE state = 'settled'")) {
      const begun = new Date(Number(row.started_at_ms)).toISOString();
      const tags = JSON.parse(String(row.tags));
      const group = groupBy.map((dimension) => {
        if (dimension === "hour") return `${begun.slice(0, 13)}:00:00Z`;
        if (dimension === "day") return begun.slice(0, 10);
        if (dimension.startsWith("tag:")) return tags[dimension.slice(4)] ?? "";
        return String(row[dimension === "key" ? "principal" : dimension]);
      });
      const rate = rates[String(row.model)];
      const booked = (row.cost_pico_usd as bigint | null) ?? 0n;
      const isPriced = rate && row.provenance !== "unknown";
      const cost = isPriced
        ? rate[0] * (row.input_tokens as bigint) + rate[1] * (row.output_tokens as bigint)
        : booked;
      const key = JSON.stringify(group);
      sums.set(key, (sums.get(key) ?? 0n) + cost);
    }
    return Object.fromEntries(sums);
  };

  const told = async (store: Store, groupBy: readonly Dimension[], isAdjusted: boolean) => {
    const sums = await store.usage.usage({ ...PERIOD, groupBy, filter: {} });
    return Object.fromEntries(
      sums.map(({ group, costPicoUsd, adjustmentPicoUsd }) => [
        JSON.stringify(group),
        isAdjusted ? costPicoUsd + adjustmentPicoUsd : costPicoUsd,
      ]),
    );
  };

  const filled = async (size: number) => {
    const place = await engine.place();
    const store = await place.open();
    const rows = traffic(size);
    const [late, now] = [rows.slice(0, 40), rows.slice(40)];
    await store.ledger.append(batchOf({ intents: rows.map(({ intent }) => intent) }));
    await store.ledger.append(batchOf({ settlements: now.map(({ settlement }) => settlement) }));
    await store.ledger.rollUp(DAY_0 + 1.5 * DAY, 0);
    return { place, store, late: late.map(({ settlement }) => settlement) };
  };

  it("comes to what it costs by the new prices in every report, and what was booked stays", async () => {
    const { place, store, late } = await filled(2_500);
    const book = booker(store);
    const history = async () => [
      await place.rows("SELECT * FROM attempts ORDER BY call_id"),
      inOrder(await place.rows("SELECT * FROM spend_hours")),
      inOrder(await place.rows("SELECT * FROM spend_days")),
    ];
    const before = await history();
    const spent = await store.ledger.spent({}, 0);
    const reply = await book(catalogOf("2", DEARER));
    expect(await history()).toEqual(before);
    expect(await store.ledger.spent({}, 0)).toBe(spent);
    const costs = await worth(place, BOOKED, []);
    const now = await worth(place, DEARER, []);
    expect(reply.adjustmentPicoUsd).toBe((now["[]"] ?? 0n) - (costs["[]"] ?? 0n));
    expect(reply.standingPicoUsd).toBe(reply.adjustmentPicoUsd);
    for (const groupBy of GROUPS) {
      expect(await told(store, groupBy, false), String(groupBy)).toEqual(await worth(place, BOOKED, groupBy));
      expect(await told(store, groupBy, true), String(groupBy)).toEqual(await worth(place, DEARER, groupBy));
    }
    // A row for each day, model and version of before; in sum what the reports say.
    const listed = (
      await store.adjustments.list({ sinceMs: 0, untilMs: NOW }, { size: 100, after: undefined })
    ).rows;
    expect(listed).toHaveLength(DAYS * 3);
    expect(listed.reduce((sum, { picoUsd }) => sum + picoUsd, 0n)).toBe(reply.adjustmentPicoUsd);
    expect(listed[0]).toMatchObject({
      bookedBy: "operator",
      reason: "the list was wrong",
      priceVersion: "2",
    });

    // The same again, and of a part of it, has nothing to add.
    expect(await book(catalogOf("2", DEARER))).toMatchObject({ adjustments: [], adjustmentPicoUsd: 0n });
    expect(await book(catalogOf("2", DEARER), { sinceMs: DAY_0 + 5 * HOUR })).toMatchObject({
      adjustments: [],
    });
    // What was settled since has.
    await store.ledger.append(batchOf({ settlements: late }));
    expect((await book(catalogOf("2", DEARER))).adjustments.length).toBeGreaterThan(0);
    expect(await told(store, ["model"], true)).toEqual(await worth(place, DEARER, ["model"]));
    await store.ledger.rollUp(NOW, 0);
    expect(await book(catalogOf("2", DEARER))).toMatchObject({ adjustments: [] });

    // Corrected once more; and taken back, but for what a catalog has no price for.
    const other: Rates = { ...DEARER, m1: [2_000_000n, 2_000_000n] };
    await book(catalogOf("3", other));
    expect(await told(store, ["day", "model"], true)).toEqual(await worth(place, other, ["day", "model"]));
    const { unknownModel } = await book(catalogOf("1", BOOKED));
    expect(unknownModel).toBeGreaterThan(0n);
    const back = { ...BOOKED, m3: DEARER.m3 ?? [0n, 0n] } as const;
    expect(await told(store, ["model", "tenant"], true)).toEqual(
      await worth(place, back, ["model", "tenant"]),
    );
  });

  it("is left as it stands where rows are deleted, wholly or in part", async () => {
    const { place, store } = await filled(400);
    const book = booker(store);
    await book(catalogOf("2", DEARER));
    const right = await told(store, ["hour"], true);
    await store.ledger.rollUp(NOW, DAY_0 + DAY);
    const [first] = await place.rows(
      `SELECT call_id, started_at_ms FROM attempts WHERE state = 'settled' ORDER BY started_at_ms LIMIT 1`,
    );
    await remove(place, String(first?.call_id));
    const reply = await book(catalogOf("1", BOOKED));
    const cut = Number(first?.started_at_ms) - (Number(first?.started_at_ms) % HOUR);
    expect(reply.deletedAttempts).toBeGreaterThan(50n);
    const now = await told(store, ["hour"], true);
    for (const [hour, cost] of Object.entries(right)) {
      const isLeft = Date.parse(JSON.parse(hour)[0]) <= cut;
      if (isLeft) expect(now[hour], hour).toBe(cost);
    }
    expect(now).not.toEqual(right);
  });

  it("is corrected once by those who do so at the same moment", async () => {
    const { place, store } = await filled(600);
    const stores = engine.name === "SQLite" ? [store, store] : [store, await place.open("there")];
    const all = await Promise.all(
      Array.from({ length: 6 }, (_, n) =>
        booker(stores[n % 2] as Store, `operator ${n}`)(catalogOf("2", DEARER)),
      ),
    );
    expect(all.filter(({ adjustments }) => adjustments.length > 0)).toHaveLength(1);
    expect(await told(store, ["model"], true)).toEqual(await worth(place, DEARER, ["model"]));
    // Two corrections that are not the same: the last one stands, whole.
    const other: Rates = { ...DEARER, m1: [9n * 10n ** 6n, 0n] };
    await Promise.all([
      booker(stores[0] as Store, "one")(catalogOf("3", other)),
      booker(stores[1] as Store, "two")(catalogOf("1.2", DEARER)),
    ]);
    const now = await told(store, ["model", "day"], true);
    const either = [
      await worth(place, DEARER, ["model", "day"]),
      await worth(place, other, ["model", "day"]),
    ];
    expect(either).toContainEqual(now);
  });

  it("takes no other prices under a version that is known", async () => {
    const { store } = await filled(60);
    await booker(store)(catalogOf("2", DEARER));
    await expect(booker(store, "b")(catalogOf("2", BOOKED))).rejects.toThrow(
      "catalog: other prices were kept under version 2 before",
    );
  });

  if (engine.name === "PostgreSQL") {
    it("is corrected once where a connection breaks amid the booking", async () => {
      const { place, store } = await filled(600);
      const other = new Client({ connectionString: place.where.databaseUrl });
      await other.connect();
      try {
        await other.query("BEGIN; LOCK TABLE adjustments IN SHARE MODE");
        const booked = booker(store)(catalogOf("2", DEARER));
        // It has its number, and waits to write its rows.
        const waiting = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE wait_event_type = 'Lock' AND query LIKE '%INSERT INTO adjustments %'`;
        while ((await place.rows(waiting)).length === 0);
        await other.query("COMMIT");
        expect((await booked).adjustments.length).toBeGreaterThan(0);
      } finally {
        await other.end();
      }
      expect((await store.adjustments.standing(PERIOD)).bookings).toBe(1);
      expect(await told(store, ["model"], true)).toEqual(await worth(place, DEARER, ["model"]));
    });
  } else {
    it("has whole bookings only, whenever the process is killed", async () => {
      const place = await engine.place();
      const child = fork(join(import.meta.dirname, "booker.ts"), [place.where.dataDir]);
      let acknowledged = -1;
      child.on("message", (bookings) => {
        acknowledged = Number(bookings);
        // Amid one of those that follow.
        if (acknowledged === 3) setTimeout(() => child.kill("SIGKILL"), 5);
      });
      await once(child, "exit");
      const { adjustments } = await place.open();
      const { bookings } = await adjustments.standing(PERIOD);
      expect(bookings).toBeGreaterThan(acknowledged);
      const counts = await place.rows("SELECT count(*) AS n FROM adjustments GROUP BY booking");
      expect(counts).toEqual(Array.from({ length: bookings }, () => ({ n: 3_000n })));
    });
  }
});

const inOrder = (rows: readonly Record<string, unknown>[]) =>
  rows
    .map((row) => JSON.stringify(row, (_, value) => (typeof value === "bigint" ? String(value) : value)))
    .sort();

async function remove({ where }: Place, callId: string): Promise<void> {
  const sql = `DELETE FROM attempts WHERE call_id = '${callId}'`;
  if (where.databaseUrl === undefined) {
    using db = new DatabaseSync(join(where.dataDir, "llmgateway.db"));
    return db.exec(sql);
  }
  const client = new Client({ connectionString: where.databaseUrl });
  await client.connect();
  await client.query(sql);
  await client.end();
}
