/** How the client follows a job over connections that break, and what it gives, throws and cancels. */
import { describe, expect, test } from "vitest";
import type { JobEvent } from "../../../clients/typescript/src/gateway.ts";
import { JobServer } from "../../support/job-server.ts";
import { ask, failureOf, WAYS } from "./ways.ts";

/** As the server here speaks HTTP/1.1. */
const OVER_HTTP1 = WAYS.filter(({ name }) => name !== "gRPC");

/** What was told, in short: a status, or a piece of text. */
function inShort({ job, output }: JobEvent): string {
  return job ? job.status : `+${output?.token}`;
}

describe.each(OVER_HTTP1)("$name", ({ connect }) => {
  test("submits, tells what happens, and gives the reply", async () => {
    await using server = await JobServer.start();
    const gateway = connect({ baseUrl: server.url });
    const events: JobEvent[] = [];
    // What bounds the run bounds neither the submission nor the wait.
    const request = { ...ask("Hello"), timeoutMs: 1 };
    const waiting = gateway.submitAndWait(request, { onEvent: (event) => events.push(event) });
    await server.called("WatchJob", 1);
    const id = server.onlyId;
    expect(events.map(({ job }) => job?.jobId)).toEqual([id]);
    server.run(id);
    server.say(id, "One");
    await expect.poll(() => events.map(inShort)).toContain("+One");
    server.end(id, "completed");
    expect((await waiting).response).toBe("One");
    expect(events.map(inShort)).toEqual(["pending", "pending", "running", "+One", "completed"]);
    expect(server.submissions[0]?.idempotencyKey).toMatch(/^[0-9a-f-]{36}$/);
  });

  test("goes on over a connection that breaks, without a word twice", async () => {
    await using server = await JobServer.start();
    const words: string[] = [];
    const onEvent = (event: JobEvent) => words.push(inShort(event));
    const waiting = connect({ baseUrl: server.url }).submitAndWait(ask("Hello"), { onEvent });
    await server.called("WatchJob", 1);
    const id = server.onlyId;
    server.run(id);
    server.say(id, "One ");
    await expect.poll(() => words.at(-1)).toBe("+One ");
    server.failing.push("WatchJob");
    server.breakConnections();
    server.say(id, "two ");
    await server.called("WatchJob", 3);
    await expect.poll(() => words.at(-1)).toBe("+two ");
    server.failing.push("GetJobResult");
    server.end(id, "completed");
    expect((await waiting).response).toBe("One two ");
    expect(words).toEqual(["pending", "pending", "running", "+One ", "+two ", "completed"]);
  });

  test("tells the words of a run that replaced another while the connection was broken", async () => {
    await using server = await JobServer.start();
    const gateway = connect({ baseUrl: server.url });
    const { jobId } = await gateway.submitJob(ask("Hello"));
    server.run(jobId);
    server.say(jobId, "One");
    const told: string[] = [];
    for await (const event of gateway.watchJob({ jobId })) {
      told.push(inShort(event));
      if (told.length === 2) {
        server.breakConnections();
        server.runAnew(jobId);
        server.say(jobId, "Two");
      }
      if (told.length === 4) break;
    }
    expect(told).toEqual(["running", "+One", "running", "+Two"]);
  });

  test("sends a submission again whose answer was lost, and has one job", async () => {
    await using server = await JobServer.start();
    const gateway = connect({ baseUrl: server.url, retry: { maxAttempts: 3 } });
    const lost = gateway.submitJob({ ...ask("Hello"), idempotencyKey: "mine" });
    await lost;
    server.failing.push("SubmitJob");
    const twice = await failureOf(gateway.submitJob(ask("Hello")));
    expect(twice.kind).toBe("shutting_down");
    expect(server.job("mine").job.jobId).toBe((await lost).jobId);
  });

  test.each([
    ["failed", "provider_error"],
    ["cancelled", "job_cancelled"],
    ["expired", "job_expired"],
  ] as const)("a job that %s rejects with %s", async (status, kind) => {
    await using server = await JobServer.start();
    const failing = failureOf(connect({ baseUrl: server.url }).submitAndWait(ask("Hello")));
    await server.called("WatchJob", 1);
    server.end(server.onlyId, status);
    expect((await failing).kind).toBe(kind);
  });

  test("a signal ends the wait alone, or the job too", async () => {
    await using server = await JobServer.start();
    const gateway = connect({ baseUrl: server.url });
    const leaving = new AbortController();
    const waiting = failureOf(gateway.submitAndWait(ask("Hello"), { signal: leaving.signal }));
    const ending = failureOf(
      gateway.submitAndWait(
        { ...ask("Hello"), idempotencyKey: "ended" },
        { signal: leaving.signal, cancelOnAbort: true },
      ),
    );
    await server.called("WatchJob", 2);
    leaving.abort();
    expect([(await waiting).kind, (await ending).kind]).toEqual(["cancelled", "cancelled"]);
    expect(server.calls.filter((call) => call === "CancelJob")).toHaveLength(1);
    expect(server.job("ended").job.status).toBe("cancelled");
  });

  test("a signal ends the wait before it was begun", async () => {
    await using server = await JobServer.start();
    const gateway = connect({ baseUrl: server.url });
    const leaving = new AbortController();
    const { signal } = leaving;
    // As by a caller who only wanted the id.
    const onEvent = () => leaving.abort();
    expect((await failureOf(gateway.submitAndWait(ask("Hello"), { signal, onEvent }))).kind).toBe(
      "cancelled",
    );
    const events = gateway.watchJob({ jobId: server.onlyId }, { signal });
    expect((await failureOf(events.next())).kind).toBe("cancelled");
  });

  test("a time limit ends the wait", async () => {
    await using server = await JobServer.start();
    const gateway = connect({ baseUrl: server.url });
    const failure = await failureOf(
      gateway.submitAndWait(ask("Hello"), { timeoutMs: 200, cancelOnAbort: true }),
    );
    expect(failure.kind).toBe("deadline_exceeded");
    expect(server.job(server.onlyId).job.status).toBe("cancelled");
  });

  test("who leaves the loop leaves the watch, and a run that begins anew is told anew", async () => {
    await using server = await JobServer.start();
    const gateway = connect({ baseUrl: server.url });
    const { jobId } = await gateway.submitJob(ask("Hello"));
    server.run(jobId);
    server.say(jobId, "One");
    const told: string[] = [];
    for await (const event of gateway.watchJob({ jobId })) {
      told.push(inShort(event));
      if (told.length === 2) server.run(jobId);
      if (told.length === 3) server.say(jobId, "One");
      if (told.length === 4) break;
    }
    expect(told).toEqual(["running", "+One", "running", "+One"]);
  });
});

test("a gateway that never answered is not waited for, nor a job that there is not", async () => {
  const [{ connect } = { connect: undefined }] = WAYS;
  if (!connect) throw new Error("there is no way");
  const nowhere = connect({ baseUrl: "http://127.0.0.1:2", retry: false });
  const events = nowhere.watchJob({ jobId: "0191f2a0-0000-7000-8000-000000000000" });
  expect((await failureOf(events.next())).kind).toBe("gateway_unreachable");
  await using server = await JobServer.start();
  const unknown = connect({ baseUrl: server.url }).watchJob({
    jobId: "0191f2a0-0000-7000-8000-000000000000",
  });
  expect((await failureOf(unknown.next())).kind).toBe("not_found");
});
