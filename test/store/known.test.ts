/** Known requests in both engines: kept, read again, cleared and swept. */
import { afterAll, describe, expect, it } from "vitest";
import type { KnownRow } from "../../src/core/known-store.ts";
import type { PicoUsd } from "../../src/core/money.ts";
import { engines } from "../support/stores.ts";

const NOW = 1_000_000;

function rowOf(key: string, fields: Partial<KnownRow> = {}): KnownRow {
  return {
    key,
    frame: "frame",
    text: "What is a gateway?",
    vector: new Uint8Array(new Float32Array([0.6, -0.8]).buffer),
    tenant: "internal",
    family: "openai/gpt-4o",
    tags: { team: "red" },
    requestId: `request of ${key}`,
    storedAtMs: NOW,
    expiresAtMs: NOW + 1_000,
    provider: "openai",
    model: "gpt-4o",
    costPicoUsd: 9_007_199_254_740_993n as PicoUsd,
    events: new Uint8Array([1, 2, 3]),
    ...fields,
  };
}

describe.each(engines("known requests"))("$name", (engine) => {
  afterAll(() => engine.stop());

  async function opened(rows: readonly KnownRow[]) {
    const { known } = await (await engine.place()).open();
    for (const row of rows) await known.keep(row);
    const keys = async (nowMs = NOW, limit = 100) => (await known.load(nowMs, limit)).map(({ key }) => key);
    return { known, keys };
  }

  it("gives back what was kept, once for each key", async () => {
    const unknown = rowOf("b", { costPicoUsd: undefined, tags: {}, storedAtMs: NOW + 1 });
    const { known } = await opened([rowOf("a", { text: "Before" }), rowOf("a"), unknown]);
    const plain = (rows: readonly KnownRow[]) =>
      rows.map((row) => ({ ...row, vector: [...row.vector], events: [...row.events] }));
    expect(plain(await known.load(NOW, 100))).toEqual(plain([rowOf("a"), unknown]));
  });

  it("gives the newest of those that are still good, the oldest first", async () => {
    const { keys } = await opened(
      [3, 1, 2, 4].map((at) =>
        rowOf(`key-${at}`, { storedAtMs: NOW + at, expiresAtMs: at === 4 ? NOW : NOW + 50 }),
      ),
    );
    expect(await keys(NOW, 2)).toEqual(["key-2", "key-3"]);
    expect(await keys(NOW + 50)).toEqual([]);
  });

  it("clears what is meant, and nothing else", async () => {
    const rows = [
      rowOf("plain"),
      rowOf("blue", { tenant: "blue" }),
      rowOf("alias", { family: "fast" }),
      rowOf("mini", { family: "fast", model: "gpt-4o-mini" }),
      rowOf("tagged", { family: "fast", model: "gpt-4o-mini", tags: { team: "green", app: "x" } }),
    ];
    const { known, keys } = await opened(rows);
    await known.clear({ tag: { key: "team", value: "green" } });
    expect(await keys()).toEqual(expect.not.arrayContaining(["tagged"]));
    await known.clear({ tenant: "blue", family: "fast" });
    expect((await keys()).length).toBe(4);
    await known.clear({ family: "openai/gpt-4o" });
    expect(await keys()).toEqual(["mini"]);
    await known.clear({});
    expect(await keys()).toEqual([]);
  });

  it("sweeps what is no longer good, and the oldest beyond so many", async () => {
    const { known, keys } = await opened(
      [1, 2, 3, 4].map((at) => rowOf(`key-${at}`, { storedAtMs: NOW + at, expiresAtMs: NOW + at * 10 })),
    );
    await known.sweep(NOW + 10, 2);
    expect(await keys(NOW)).toEqual(["key-3", "key-4"]);
  });
});
