import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { Output } from "../../src/jobs/output.ts";
import { settled } from "../support/clock.ts";

test("nothing is kept of those who watch a run that says nothing, and leave", async () => {
  setFlagsFromString("--expose-gc");
  const gc = runInNewContext("gc");
  const output = new Output();
  const left = await watchAndLeave(output);
  await settled();
  gc();
  expect(left.deref()).toBeUndefined();
});

/** Its own function, so that none of its values is held by the test's. */
async function watchAndLeave(output: Output): Promise<WeakRef<AbortSignal>> {
  const leaving = new AbortController();
  const next = output.follow(0, leaving.signal).next();
  await settled();
  leaving.abort();
  expect(await next).toEqual({ done: true, value: undefined });
  return new WeakRef(leaving.signal);
}
