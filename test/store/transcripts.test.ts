/** What was said in calls, in both engines: kept, read, deleted and swept. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { TranscriptRow } from "../../src/core/transcript-store.ts";
import { engines } from "../support/stores.ts";

const NOW = 1_000_000;
const MIB = 1_048_576;

function rowOf(callId: string, fields: Partial<TranscriptRow> = {}): TranscriptRow {
  return {
    callId,
    requestId: `request of ${callId}`,
    tenant: "internal",
    principal: "team",
    storedAtMs: NOW,
    text: Buffer.from(`text of ${callId}`),
    ...fields,
  };
}

describe.each(engines("what was said"))("what was said on $name", (engine) => {
  afterAll(() => engine.stop());

  async function opened(rows: readonly TranscriptRow[]) {
    const place = await engine.place();
    const { transcripts } = await place.open();
    await transcripts.keep(rows);
    const ids = async () =>
      (await place.rows("SELECT call_id FROM request_texts ORDER BY call_id")).map((row) => row.call_id);
    const read = async (id: string) => {
      const text = await transcripts.get(id);
      return text && Buffer.from(text).toString();
    };
    return { place, transcripts, ids, read };
  }

  it("is told by the call's id and by the request's, the latest where that is repeated", async () => {
    const { transcripts, read } = await opened([
      rowOf("a", { requestId: "same", storedAtMs: NOW + 1 }),
      rowOf("b", { requestId: "same", text: Buffer.from([0, 255, 10]) }),
    ]);
    expect(await read("same")).toBe("text of a");
    expect([...((await transcripts.get("b")) ?? [])]).toEqual([0, 255, 10]);
    expect(await read("nobody's\0")).toBeUndefined();
  });

  it("is kept once for each call, as it was last", async () => {
    const { transcripts, ids, read } = await opened([rowOf("a")]);
    await transcripts.keep([rowOf("a", { text: Buffer.from("anew") }), rowOf("b")]);
    expect(await ids()).toEqual(["a", "b"]);
    expect(await read("a")).toBe("anew");
  });

  it("is deleted by either id, or all of it", async () => {
    const rows = [
      rowOf("a", { requestId: "same" }),
      rowOf("b", { requestId: "same" }),
      rowOf("c"),
      rowOf("d"),
    ];
    const { transcripts, ids } = await opened(rows);
    expect(await transcripts.delete("same")).toBe(2);
    expect(await transcripts.delete("c")).toBe(1);
    expect(await transcripts.delete("same")).toBe(0);
    expect(await ids()).toEqual(["d"]);
    expect(await transcripts.delete(undefined)).toBe(1);
    expect(await ids()).toEqual([]);
  });

  it("goes with its time, and the oldest beyond so many bytes", async () => {
    const text = Buffer.alloc(1_000, "x");
    const rows = [1, 2, 3, 4, 5].map((at) => rowOf(`call-${at}`, { storedAtMs: NOW + at, text }));
    const { transcripts, ids } = await opened(rows);
    await transcripts.sweep(NOW + 2, MIB);
    expect(await ids()).toEqual(["call-2", "call-3", "call-4", "call-5"]);
    await transcripts.sweep(NOW, 2_500);
    expect(await ids()).toEqual(["call-4", "call-5"]);
    await transcripts.sweep(NOW, 2_000);
    expect(await ids()).toEqual(["call-4", "call-5"]);
  });

  it("goes in parts where there is much of it", async () => {
    const rows = Array.from({ length: 2_500 }, (_, at) => rowOf(`call-${at}`, { storedAtMs: NOW + at }));
    const { transcripts, ids } = await opened(rows);
    await transcripts.sweep(NOW + 1_100, MIB);
    expect(await ids()).toHaveLength(1_400);
    await transcripts.sweep(NOW, 0);
    expect(await ids()).toEqual([]);
  });

  if (engine.name === "SQLite") {
    it("is in no file any more once it was deleted", async () => {
      const long = rowOf("a", { text: Buffer.alloc(100_000, "unforgettable ") });
      const { place, transcripts } = await opened([long, rowOf("b")]);
      const isThere = () => {
        const folder = place.where.dataDir;
        return readdirSync(folder).some((name) => readFileSync(join(folder, name)).includes("unforgettable"));
      };
      expect(isThere()).toBe(true);
      await transcripts.delete("a");
      expect(isThere()).toBe(false);
      expect(await transcripts.get("b")).toBeDefined();
    });
  }
});
