/** Readiness: reasons by name, and word of each change. */
import { expect, test } from "vitest";
import { Readiness } from "../../src/core/readiness.ts";
import { settled } from "../support/clock.ts";

const never = new AbortController().signal;

test("it is ready until there is a reason not to be", () => {
  const readiness = new Readiness();
  expect(readiness.notReady).toBe("");
  expect(readiness.has("draining")).toBe(false);
  readiness.fail("draining", "shutting down");
  expect(readiness.notReady).toBe("shutting down");
  expect(readiness.has("draining")).toBe(true);
  readiness.recover("draining");
  expect(readiness.notReady).toBe("");
});

test("everyone who waits hears of a change", async () => {
  const readiness = new Readiness();
  const all = Promise.all(Array.from({ length: 20 }, () => readiness.changed(never)));
  readiness.fail("draining", "shutting down");
  await all;
  const next = readiness.changed(never);
  readiness.recover("draining");
  await next;
});

test("what was no reason before is no change when it is over", async () => {
  const readiness = new Readiness();
  let heard = false;
  void readiness.changed(never).then(() => {
    heard = true;
  });
  readiness.recover("draining");
  await settled();
  expect(heard).toBe(false);
});

test("who gives up does not wait any more", async () => {
  const readiness = new Readiness();
  const patience = new AbortController();
  const waiting = readiness.changed(patience.signal);
  patience.abort();
  await waiting;
  await readiness.changed(patience.signal);
});
