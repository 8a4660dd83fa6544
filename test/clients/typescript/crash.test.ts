/** A job that is waited for while the gateway is killed and started again: it looks like a call all the same. */
import { expect, test } from "vitest";
import { startEmulator } from "../../../src/emulator/server.ts";
import { LastingGateway } from "../../support/home.ts";
import { ask, WAYS } from "./ways.ts";

test.each(WAYS)("$name: a job outlives its gateway, and its caller sees one answer", async ({ connect }) => {
  const emulator = await startEmulator({ paceMs: 40 });
  try {
    await using server = await LastingGateway.start(emulator.url);
    const gateway = connect({ baseUrl: server.url });
    const begun = Promise.withResolvers<void>();
    let jobId = "";
    const told: string[] = [];
    const waiting = gateway.submitAndWait(ask("Hello"), {
      onEvent({ job, output }) {
        jobId ||= job?.jobId ?? "";
        told.push(job ? job.status : (output?.token ?? ""));
        if (output) begun.resolve();
      },
    });
    await begun.promise;
    await server.kill();
    await server.startAgain();
    const { response, cost } = await waiting;
    expect(response).toMatch(/^This is the answer to "Hello"\. .*\.$/);
    expect(cost?.provenance).toBe("measured");
    const lastRun = told.slice(told.lastIndexOf("running") + 1, -1);
    expect(lastRun.join("")).toBe(response);
    expect(told.at(-1)).toBe("completed");
    const job = await gateway.getJob({ jobId });
    // What the lost run has cost is not known.
    expect(job).toMatchObject({ status: "completed", runs: 2 });
    expect(job.costPicoUsd).toBeUndefined();
    expect(emulator.meter.totals()).toMatchObject({ requests: 2, served: 1, aborted: 1 });
  } finally {
    await emulator.close();
  }
});
