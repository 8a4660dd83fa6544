/** What the desk says of a job that is handed in, whatever becomes of it meanwhile. */
import { create } from "@bufbuild/protobuf";
import { afterAll, describe, expect, it } from "vitest";
import { SubmitJobRequestSchema } from "../../gen/ts/llmgateway/v1/job_pb.ts";
import type { PicoUsd } from "../../src/core/money.ts";
import { createDesk } from "../../src/jobs/desk.ts";
import { Changes } from "../../src/jobs/watch.ts";
import { callOf, TARGET } from "../support/call.ts";
import { VirtualClock } from "../support/clock.ts";
import { jobEngines, NOW, takeOne } from "../support/jobs.ts";

const REQUEST = create(SubmitJobRequestSchema, {
  messages: [{ role: "user", content: "Hello" }],
  metadata: { team: "search" },
  priority: 2,
  idempotencyKey: "once",
});

describe.each(jobEngines("the desk"))("a job that is submitted on $name", (engine) => {
  afterAll(() => engine.stop());

  async function openDesk(onSubmitted: () => void) {
    const { jobs: store, outbox } = await (await engine.place()).open();
    const clock = new VirtualClock(NOW);
    const desk = createDesk({
      ...{ store, outbox, clock, onSubmitted, changes: new Changes() },
      preview: async () => ({ target: TARGET, estimated: 900n as PicoUsd }),
      limits: () => ({
        ...{ maxStored: 10, maxPending: 10, maxJobBytes: 1_000 },
        ...{ startWithinMs: 60_000, resultTtlMs: 60_000 },
      }),
      callbackProblem: () => undefined,
      output: () => undefined,
      stopping: () => false,
      onChanged: () => {},
    });
    return { desk, store };
  }
  const { context } = callOf();

  it("is told as the store has it", async () => {
    const { desk } = await openDesk(() => {});
    const submitted = await desk.submit(REQUEST, context);
    expect(submitted).toMatchObject({
      status: "pending",
      runs: 0,
      priority: 2,
      metadata: { team: "search" },
    });
    expect(await desk.get(submitted.jobId, context)).toEqual(submitted);
  });

  it("is told as it was submitted, though it is run at once; submitted again, as it is", async () => {
    const taken = Promise.withResolvers<unknown>();
    const { desk, store } = await openDesk(() => taken.resolve(takeOne(store)));
    expect(await desk.submit(REQUEST, context)).toMatchObject({ status: "pending", runs: 0 });
    await taken.promise;
    expect(await desk.submit(REQUEST, context)).toMatchObject({ status: "running", runs: 1 });
  });
});
