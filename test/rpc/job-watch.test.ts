/** Watching jobs: what is told of one as it happens, in order, on each protocol, whoever comes late or leaves. */
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { ConnectError } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ErrorInfoSchema } from "../../gen/ts/google/rpc/error_details_pb.ts";
import type { JobEvent } from "../../gen/ts/llmgateway/v1/job_pb.ts";
import { hastened } from "../support/clock.ts";
import { type GatewayUnderTest, startBoth } from "../support/gateway.ts";
import { JOB_CALLERS, type JobClient, told } from "../support/job-callers.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";

let upstream: Upstream;
let both: GatewayUnderTest;
beforeAll(async () => {
  upstream = await startUpstream();
  const held = { kind: "openai_compatible", base_url: upstream.url, prices: "openai" };
  both = await startBoth({ providers: { held }, jobs: { max_concurrent: 1 } }, { clock: hastened(10) });
});
afterAll(async () => {
  await both[Symbol.asyncDispose]();
  await upstream[Symbol.asyncDispose]();
});

const ASK = { messages: [{ role: "user", content: "Tell me all of it" }], model: "held/gpt-4o" };

describe.each(JOB_CALLERS)("$name", ({ at }) => {
  const submit = async () => ({ jobId: (await at(both.url).submitJob(ASK)).jobId });

  test("tells each status in its order, and every word between them", async () => {
    const client = at(both.url);
    const first = await submit();
    const before = await upstream.next();
    const job = await submit();
    const watcher = new Watcher(client, job);
    await watcher.until(({ job }) => job?.status === "pending");
    before.say("First");
    before.end();
    const held = await upstream.next();
    held.say("Once");
    await watcher.until(({ output }) => output?.token === "Once");
    held.say(" upon");
    held.say(" a time");
    held.end();
    const { states, words, job: last } = await told(watcher.all());
    expect(states).toEqual(["pending", "running", "completed"]);
    expect(words).toEqual([(await client.getJobResult(job)).response]);
    expect(words).toEqual(["Once upon a time"]);
    expect(last).toEqual(await client.getJob(job));
    expect((await client.getJobResult(first)).response).toBe("First");
  });

  test("tells that a run is made again, and its words from the beginning", async () => {
    const client = at(both.url);
    const job = await submit();
    const watcher = new Watcher(client, job);
    const broken = await upstream.next();
    broken.say("Once");
    await watcher.until(({ output }) => output?.token === "Once");
    broken.response.destroy();
    const held = await upstream.next();
    held.say("Twice");
    held.end();
    const { states, words, job: last } = await told(watcher.all());
    expect(states.slice(states.indexOf("running"))).toEqual(["running", "pending", "running", "completed"]);
    expect(words).toEqual(["Once", "Twice"]);
    expect(last).toMatchObject({ runs: 2, failure: { kind: "cut", retryable: true } });
    expect((await client.getJobResult(job)).response).toBe("Twice");
  });

  test("lets watchers leave, and tells those who come late what was said before", async () => {
    const client = at(both.url);
    const job = await submit();
    const held = await upstream.next();
    held.say("Once");
    const leaving = new Watcher(client, job);
    await leaving.until(({ output }) => output?.token === "Once");
    const late = new Watcher(client, job);
    await late.until(({ output }) => output?.token === "Once");
    await leaving.leave();
    held.say(" more");
    held.end();
    expect(await told(late.all())).toMatchObject({ states: ["running", "completed"], words: ["Once more"] });
    // After its end too.
    expect(await told(client.watchJob(job))).toMatchObject({ states: ["completed"], words: ["Once more"] });
    expect(await client.getJob(job)).toMatchObject({ status: "completed", runs: 1 });
  });

  test("tells within the stream why it ends before the job does", async () => {
    await using closing = await startBoth({ server: { drain_timeout: "0.1s" } });
    const client = at(closing.url);
    const runAt = timestampFromMs(Date.now() + 86_400_000);
    const watcher = new Watcher(client, await client.submitJob({ ...ASK, model: "openai", runAt }));
    await watcher.until(({ job }) => job?.status === "pending");
    const failure = told(watcher.all()).then(
      (seen) => seen.failure,
      (error) => ConnectError.from(error).findDetails(ErrorInfoSchema)[0]?.reason,
    );
    await closing.gateway.close();
    expect(await failure).toBe("shutting_down");
  });
});

/** Follows a job step by step, and keeps what it was told. */
class Watcher {
  private readonly leaving = new AbortController();
  private readonly events: AsyncIterator<JobEvent>;
  private readonly seen: JobEvent[] = [];

  constructor(client: JobClient, { jobId }: { readonly jobId: string }) {
    const events = client.watchJob({ jobId }, { signal: this.leaving.signal });
    this.events = events[Symbol.asyncIterator]();
  }

  async until(is: (event: JobEvent) => boolean): Promise<void> {
    for (;;) {
      const { value, done } = await this.events.next();
      if (done) throw new Error("the stream has ended");
      this.seen.push(value);
      if (is(value)) return;
    }
  }

  /** What was told, and what comes. */
  async *all(): AsyncGenerator<JobEvent> {
    yield* this.seen;
    yield* { [Symbol.asyncIterator]: () => this.events };
  }

  async leave(): Promise<void> {
    this.leaving.abort();
    await this.events.next().then(
      () => {},
      () => {},
    );
  }
}
