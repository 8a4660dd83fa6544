/** What the desk says of a job that is handed in, whatever becomes of it meanwhile. */
import { create } from "@bufbuild/protobuf";
import { afterAll, describe, expect, it } from "vitest";
import { SubmitBatchRequestSchema, SubmitJobRequestSchema } from "../../gen/ts/llmgateway/v1/job_pb.ts";
import { Failure } from "../../src/core/failure.ts";
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

  async function openDesk(onSubmitted: () => void, refusal: () => Failure | undefined = () => undefined) {
    const { jobs: store, outbox } = await (await engine.place()).open();
    const clock = new VirtualClock(NOW);
    const desk = createDesk({
      ...{ store, outbox, clock, onSubmitted, changes: new Changes() },
      preview: async () => {
        const failure = refusal();
        if (failure) throw failure;
        return { target: TARGET, estimated: 900n as PicoUsd };
      },
      limits: () => ({
        ...{ maxStored: 10, maxPending: 10, maxJobBytes: 1_000 },
        ...{ startWithinMs: 60_000, resultTtlMs: 60_000 },
      }),
      callbackProblem: () => refusal()?.message,
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

  it("is known by its key, as a batch is, whatever the configuration came to say of it meanwhile", async () => {
    let refusal: Failure | undefined;
    const { desk } = await openDesk(
      () => {},
      () => refusal,
    );
    const job = { ...REQUEST, callbackUrl: "https://example.com/" };
    const requests = [{ customId: "one", request: { messages: REQUEST.messages } }];
    const batch = create(SubmitBatchRequestSchema, { requests, idempotencyKey: "all" });
    const { jobId } = await desk.submit(job, context);
    const { batchId } = await desk.submitBatch(batch, context);
    refusal = new Failure("unknown_model", "there is no such alias any more");
    expect(await desk.submit(job, context)).toMatchObject({ jobId });
    expect(await desk.submitBatch(batch, context)).toMatchObject({ batchId });
    const other = { ...job, priority: 3 };
    await expect(desk.submit(other, context)).rejects.toMatchObject({ kind: "idempotency_conflict" });
    const anew = { ...REQUEST, idempotencyKey: "another" };
    await expect(desk.submit(anew, context)).rejects.toMatchObject({ kind: "unknown_model" });
  });
});
