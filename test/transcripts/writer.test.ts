/** What was said on its way to the store: in small groups, with rests, in bounded memory, behind the ledger. */
import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import type { TranscriptRow } from "../../src/core/transcript-store.ts";
import { MAX_WAITING_BYTES, TranscriptWriter } from "../../src/transcripts/writer.ts";
import { VirtualClock } from "../support/clock.ts";

const KIB = 1_024;

/** A writer on a disk that takes so long for each group. */
function writing({ diskMs = 0, failing = false } = {}) {
  const clock = new VirtualClock();
  const groups: { atMs: number; ids: string[] }[] = [];
  const dropped = { full: 0, failed: 0 };
  const errors: unknown[] = [];
  const ledger = { isHeldUp: false };
  const writer = new TranscriptWriter({
    clock,
    store: {
      keep: async (rows) => {
        groups.push({ atMs: clock.now(), ids: rows.map(({ callId }) => callId) });
        if (diskMs > 0) await new Promise<void>((resolve) => clock.after(diskMs, resolve));
        if (failing) throw new Error("no space is left");
      },
    },
    isHeldUp: () => ledger.isHeldUp,
    onWritten: () => {},
    onDropped: (texts, reason) => {
      dropped[reason] += texts;
    },
    onError: (error) => void errors.push(error),
  });
  let next = 0;
  const keep = (bytes: number, raw = bytes) => {
    const callId = String(next++);
    const row: TranscriptRow = {
      callId,
      requestId: callId,
      tenant: "",
      principal: "",
      storedAtMs: clock.now(),
      text: new Uint8Array(bytes),
    };
    writer.keep({ bytes: raw, make: () => row });
  };
  /** Lets all be made ready that came. */
  const ready = async (texts: number) => {
    for (let turn = 0; turn < texts + 2; turn++) await setImmediate();
  };
  return { clock, writer, groups, dropped, errors, ledger, keep, ready };
}

test("texts are written together, few at a time", async () => {
  const { clock, groups, keep, ready } = writing();
  for (let text = 0; text < 120; text++) keep(KIB);
  await ready(120);
  expect(groups).toEqual([]);
  await clock.advance(2_000);
  expect(groups.map(({ ids }) => ids.length)).toEqual([50, 50, 20]);
  for (let text = 0; text < 5; text++) keep(100 * KIB);
  await ready(5);
  await clock.advance(2_000);
  expect(groups.slice(3).map(({ ids }) => ids.length)).toEqual([2, 2, 1]);
});

test("a slow disk has four times as long a rest behind each group, and memory stays bounded", async () => {
  const { clock, writer, groups, dropped, keep, ready } = writing({ diskMs: 10_000 });
  let most = 0;
  for (let second = 0; second < 120; second++) {
    for (let text = 0; text < 20; text++) keep(32 * KIB);
    await ready(20);
    await clock.advance(1_000);
    most = Math.max(most, writer.waitingBytes);
  }
  expect(most).toBeGreaterThan(MAX_WAITING_BYTES - 64 * KIB);
  expect(most).toBeLessThanOrEqual(MAX_WAITING_BYTES);
  expect(groups.map(({ atMs }) => atMs - (groups[0]?.atMs ?? 0))).toEqual([0, 50_000, 100_000]);
  const written = groups.reduce((sum, { ids }) => sum + ids.length, 0);
  expect(dropped.failed).toBe(0);
  expect(dropped.full + written + writer.waitingBytes / (32 * KIB)).toBe(2_400);
});

test("what is large is counted until it is cut", async () => {
  const { writer, dropped, keep, ready } = writing();
  keep(KIB, MAX_WAITING_BYTES);
  keep(KIB);
  expect(dropped.full).toBe(1);
  await ready(1);
  expect(writer.waitingBytes).toBe(KIB);
  keep(KIB);
  expect(dropped.full).toBe(1);
});

test("the ledger goes first", async () => {
  const { clock, groups, ledger, keep, ready } = writing();
  ledger.isHeldUp = true;
  keep(KIB);
  await ready(1);
  await clock.advance(60_000);
  expect(groups).toEqual([]);
  ledger.isHeldUp = false;
  await clock.advance(500);
  expect(groups).toHaveLength(1);
});

test("what the store does not take is dropped and told, and what comes later is written", async () => {
  const { clock, writer, groups, dropped, errors, keep, ready } = writing({ failing: true });
  keep(KIB);
  await ready(1);
  await clock.advance(500);
  expect([dropped.failed, errors.length, writer.waitingBytes]).toEqual([1, 1, 0]);
  keep(KIB);
  await ready(1);
  await clock.advance(500);
  expect(groups).toHaveLength(2);
});

test("a flush writes all that waits, held up or not, and what was cleared is never written", async () => {
  const { clock, writer, groups, ledger, keep, ready } = writing();
  ledger.isHeldUp = true;
  for (let text = 0; text < 60; text++) keep(KIB);
  await writer.flush();
  expect(groups.map(({ ids }) => ids.length)).toEqual([50, 10]);
  keep(KIB);
  await ready(1);
  keep(KIB);
  writer.clear();
  expect(writer.waitingBytes).toBe(0);
  ledger.isHeldUp = false;
  await ready(2);
  await clock.advance(60_000);
  await writer.flush();
  expect(groups).toHaveLength(2);
  keep(KIB);
  await ready(1);
  await clock.advance(500);
  expect(groups).toHaveLength(3);
});
