/** Corrections of the past, on both engines: booked once, all of one or none, and told again to the last digit. */
import { afterAll, describe, expect, it } from "vitest";
import type { AdjustedRow, Adjustment, AdjustmentFilter, Booking } from "../../src/core/adjustment-store.ts";
import type { Store } from "../../src/store/store.ts";
import { batchOf, intentOf, settlementOf } from "../support/ledger.ts";
import { engines } from "../support/stores.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const DAY_0 = 20_000 * DAY;
const EVER = { sinceMs: 0, untilMs: DAY_0 + 100 * DAY };
const BIG = 2n ** 62n + 1n;

function row(fields: Partial<AdjustedRow> = {}): AdjustedRow {
  return {
    hourMs: DAY_0,
    tenant: "internal",
    principal: "anonymous",
    tags: {},
    provider: "openai",
    model: "m1",
    operation: "chat",
    route: "explicit",
    priceVersionFrom: "1",
    picoUsd: 5n,
    ...fields,
  };
}

function booking(id: string, fields: Partial<Booking> = {}): Booking {
  return { id, bookedAtMs: 7, bookedBy: "operator", reason: "why ü", priceVersion: "2", ...fields };
}

const inOrder = (rows: readonly AdjustedRow[]) =>
  [...rows].sort((a, b) => a.hourMs - b.hourMs || (JSON.stringify(a.tags) < JSON.stringify(b.tags) ? -1 : 1));

describe.each(engines("adjustments"))("adjustments on $name", (engine) => {
  afterAll(() => engine.stop());
  const open = async (): Promise<Store> => (await engine.place()).open();

  it("stand as they were booked, summed by what they are of", async () => {
    const { adjustments } = await open();
    expect(await adjustments.standing(EVER)).toEqual({ bookings: 0, rows: [] });
    const tags = { team: 'a "b"', "ä\x1f": "" };
    const rows = [row({ picoUsd: BIG }), row({ tags }), row({ hourMs: DAY_0 + HOUR, picoUsd: -BIG })];
    expect(await adjustments.book(booking("a"), rows, 0)).toBe(true);
    expect(
      await adjustments.book(booking("b"), [row({ picoUsd: BIG }), row({ tags, picoUsd: -2n })], 1),
    ).toBe(true);
    const { bookings, rows: standing } = await adjustments.standing(EVER);
    expect(bookings).toBe(2);
    expect(inOrder(standing)).toEqual(
      inOrder([
        row({ picoUsd: 2n * BIG }),
        row({ tags, picoUsd: 3n }),
        row({ hourMs: DAY_0 + HOUR, picoUsd: -BIG }),
      ]),
    );
    const later = await adjustments.standing({ sinceMs: DAY_0 + HOUR, untilMs: DAY_0 + 2 * HOUR });
    expect(later).toMatchObject({ bookings: 2, rows: [{ picoUsd: -BIG }] });
  });

  it("are booked once, and by one of those who book at the same moment", async () => {
    const place = await engine.place();
    const { adjustments } = await place.open();
    const same = () => adjustments.book(booking("a"), [row()], 0);
    expect([await same(), await same()]).toEqual([true, true]);
    expect(await adjustments.book(booking("late"), [row()], 0)).toBe(false);
    const all = await Promise.all(
      Array.from({ length: 8 }, (_, n) => adjustments.book(booking(`at once ${n}`), [row()], 1)),
    );
    expect(all.filter(Boolean)).toHaveLength(1);
    expect(await place.rows("SELECT count(*) AS n FROM adjustments")).toEqual([{ n: 2n }]);
    expect((await adjustments.standing(EVER)).bookings).toBe(2);
  });

  it("are booked as a whole or not at all", async () => {
    const place = await engine.place();
    const { adjustments } = await place.open();
    // More than are written at once, and the last of them is one that no table can hold.
    const many = Array.from({ length: 5_001 }, (_, n) => row({ hourMs: DAY_0 + n * HOUR }));
    const rows = [...many, row({ hourMs: DAY_0 + 9_000 * HOUR, picoUsd: 2n ** 70n })];
    await expect(adjustments.book(booking("a"), rows, 0)).rejects.toThrow();
    expect(await adjustments.standing(EVER)).toEqual({ bookings: 0, rows: [] });
    expect(await adjustments.book(booking("a"), many, 0)).toBe(true);
    expect(await place.rows("SELECT count(*) AS n FROM adjustments")).toEqual([{ n: 5_001n }]);
  });

  it("are listed by day and model, a page at a time", async () => {
    const { adjustments } = await open();
    const first = [
      row({ hourMs: DAY_0 + HOUR }),
      row({ hourMs: DAY_0 + 2 * HOUR, tags: { team: "x" }, picoUsd: BIG }),
      row({ hourMs: DAY_0 + DAY, picoUsd: -1n }),
      row({ hourMs: DAY_0, model: "m0", provider: "claude" }),
      row({ hourMs: DAY_0, priceVersionFrom: "0" }),
    ];
    await adjustments.book(booking("a"), first, 0);
    await adjustments.book(booking("b", { priceVersion: "3", reason: "again" }), [row({ picoUsd: -4n })], 1);
    const listed = async (filter: Partial<AdjustmentFilter> = {}, size = 10) => {
      const pages: Adjustment[][] = [];
      let after: string | undefined;
      do {
        const page = await adjustments.list({ ...EVER, ...filter }, { size, after });
        pages.push([...page.rows]);
        after = page.next;
      } while (after !== undefined);
      return pages;
    };
    const told = (pages: Adjustment[][]) =>
      pages.map((page) =>
        page.map(({ id, day, model, priceVersionFrom, picoUsd }) =>
          [id, day.slice(-2), model, priceVersionFrom, picoUsd].join(" "),
        ),
      );
    const [today, tomorrow] = [DAY_0, DAY_0 + DAY].map((ms) => new Date(ms).toISOString().slice(8, 10));
    expect(told(await listed({}, 2))).toEqual([
      [`b ${today} m1 1 -4`, `a ${today} m0 1 5`],
      [`a ${today} m1 0 5`, `a ${today} m1 1 ${BIG + 5n}`],
      [`a ${tomorrow} m1 1 -1`],
    ]);
    expect((await listed()).flat()[0]).toEqual({
      ...booking("b", { priceVersion: "3", reason: "again" }),
      day: new Date(DAY_0).toISOString().slice(0, 10),
      provider: "openai",
      model: "m1",
      priceVersionFrom: "1",
      picoUsd: -4n,
    });
    expect(told(await listed({ model: "m0" }))).toEqual([[`a ${today} m0 1 5`]]);
    expect(told(await listed({ sinceMs: DAY_0 + 2 * HOUR, provider: "openai" }))).toEqual([
      [`a ${today} m1 1 ${BIG}`, `a ${tomorrow} m1 1 -1`],
    ]);
    await expect(adjustments.list(EVER, { size: 1, after: "nonsense" })).rejects.toThrow("page_token");
  });

  it("are told beside what was booked, outlast its rows, and are in no budget's count", async () => {
    const { adjustments, ledger, usage } = await open();
    const intent = intentOf("call", { startedAtMs: DAY_0, attempt: { provider: "openai", model: "m1" } });
    await ledger.append(batchOf({ intents: [intent], settlements: [settlementOf("call")] }));
    await adjustments.book(booking("a"), [row({ picoUsd: -20n })], 0);
    const told = () => usage.usage({ ...EVER, groupBy: ["hour", "model"], filter: { provider: "openai" } });
    const right = [{ attempts: 1, costPicoUsd: 500n, adjustmentPicoUsd: -20n }];
    expect(await told()).toMatchObject(right);
    await ledger.rollUp(DAY_0 + DAY, DAY_0 + DAY);
    expect(await told()).toMatchObject(right);
    expect(await usage.usage({ ...EVER, groupBy: ["day"], filter: { model: "m2" } })).toEqual([]);
    expect(await ledger.spent({}, 0)).toBe(500n);
  });
});
