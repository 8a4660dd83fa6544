/** How experiments stand, in both engines: kept, read again, swept; and which variant answered a request. */
import { afterAll, describe, expect, it } from "vitest";
import { receiptOf } from "../../src/core/receipt.ts";
import { callOf } from "../support/call.ts";
import { batchOf, callRowOf } from "../support/ledger.ts";
import { engines } from "../support/stores.ts";

const TRIAL = { name: "trial", fingerprint: "f", instance: "one", updatedAtMs: 1_000, body: "{}" };

describe.each(engines("experiments"))("$name", (engine) => {
  afterAll(() => engine.stop());

  it("keeps the latest of each process, and lets go of what is old", async () => {
    const { experiments } = await (await engine.place()).open();
    await experiments.keep(TRIAL);
    await experiments.keep({ ...TRIAL, instance: "two", updatedAtMs: 3_000 });
    await experiments.keep({ ...TRIAL, updatedAtMs: 2_000, body: '{"later":true}' });
    await experiments.keep({ ...TRIAL, updatedAtMs: 1_500, body: '{"earlier":true}' });
    const all = (await experiments.load()).sort((a, b) => a.updatedAtMs - b.updatedAtMs);
    expect(all).toEqual([
      { ...TRIAL, updatedAtMs: 2_000, body: '{"later":true}' },
      { ...TRIAL, instance: "two", updatedAtMs: 3_000 },
    ]);
    await experiments.keep({ ...TRIAL, instance: "" });
    await experiments.sweep(2_500);
    // What was decided long ago holds as long as it is not decided anew.
    expect((await experiments.load()).map(({ instance }) => instance).sort()).toEqual(["", "two"]);
  });

  it("adds what a process kept to a sum, unless that has become another", async () => {
    const { experiments } = await (await engine.place()).open();
    const sum = { ...TRIAL, instance: "ended", body: "1" };
    for (const instance of ["one", "two", "three"]) await experiments.keep({ ...TRIAL, instance });
    expect(await experiments.fold("one", sum, undefined)).toBe(true);
    // Whoever was at it at the same time has read what was there before.
    expect(await experiments.fold("two", { ...sum, body: "1" }, undefined)).toBe(false);
    expect(await experiments.fold("two", { ...sum, body: "2" }, "0")).toBe(false);
    const kept = async () => (await experiments.load()).map(({ instance, body }) => `${instance} ${body}`);
    expect((await kept()).sort()).toEqual(["ended 1", "three {}", "two {}"]);
    const later = { ...sum, updatedAtMs: 5_000, body: "2" };
    expect(await experiments.fold("two", later, "1")).toBe(true);
    expect((await kept()).sort()).toEqual(["ended 2", "three {}"]);
    await experiments.sweep(4_000);
    expect(await experiments.load()).toEqual([later]);
  });

  it("knows which variant answered a tenant's request", async () => {
    const { experiments, ledger } = await (await engine.place()).open();
    const receipt = { ...receiptOf(callOf()), requestId: "asked" };
    const experiment = { name: "trial", variant: "openai/gpt-4o", group: 7 };
    const calls = [
      callRowOf("1", { receipt, experiment }),
      callRowOf("2", {
        receipt,
        experiment: { ...experiment, variant: "copy" },
        method: "Shadow",
        startedAtMs: 1_000_001,
      }),
      callRowOf("3", { receipt: { ...receipt, requestId: "plain" } }),
    ];
    await ledger.append(batchOf({ calls }));
    expect(await experiments.variantOf("internal", "asked")).toEqual({
      name: "trial/openai/gpt-4o",
      group: 7,
    });
    expect(await experiments.variantOf("others", "asked")).toBeUndefined();
    expect(await experiments.variantOf("internal", "plain")).toBeUndefined();
  });
});
