/** How many calls are under way at a provider, through the whole gateway: who waits, who is refused, and what they are told. */
import { createHash } from "node:crypto";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { ErrorInfoSchema, RetryInfoSchema } from "../../gen/ts/google/rpc/error_details_pb.ts";
import { CALLERS, type Caller, type ChatInit } from "../support/callers.ts";
import { samplesOf } from "../support/exposition.ts";
import { type GatewayUnderTest, startBoth } from "../support/gateway.ts";
import { gather } from "../support/gather.ts";
import { type Held, startUpstream, type Upstream } from "../support/upstream.ts";

const KEYS = ["greedy", "modest"];
const DEADLINE_MS = 300;

let upstream: Upstream;
let both: GatewayUnderTest;
beforeAll(async () => {
  upstream = await startUpstream();
  const limited = (limit: object, model_settings: object = {}) => {
    const resilience = { limit };
    return {
      kind: "openai_compatible",
      base_url: upstream.url,
      prices: "openai",
      resilience,
      model_settings,
    };
  };
  both = await startBoth({
    server: { host: "127.0.0.1" },
    auth: { keys: KEYS.map((name) => ({ name, sha256: createHash("sha256").update(name).digest("hex") })) },
    // A limit that refuses is not asked again by the gateway itself.
    resilience: { retries: { max: 0 } },
    providers: {
      five: limited({ max_in_flight: 5 }),
      full: limited({ max_in_flight: 1, max_queued: 0 }),
      single: limited({ max_in_flight: 1 }),
      late: limited({ max_in_flight: 1 }),
      brief: limited({ max_in_flight: 1, max_wait: "0.200s" }),
      by_model: limited({ max_in_flight: 3 }, { small: { limit: { max_in_flight: 1, max_queued: 0 } } }),
    },
  });
});
afterAll(async () => {
  await both[Symbol.asyncDispose]();
  await upstream[Symbol.asyncDispose]();
});

const ask = (model: string): ChatInit => ({ messages: [{ role: "user", content: "Hello" }], model });

function optionsOf(key: string, headers: Record<string, string> = {}) {
  return { headers: { "x-api-key": key, ...headers } };
}

const rest = CALLERS[0] as Caller;

/** Takes a place until it is told to give it back. */
async function occupy(model: string): Promise<() => Promise<void>> {
  const occupying = gather(rest.at(both.url).stream(ask(model), optionsOf("greedy")));
  const held = await upstream.next();
  held.say("Hello");
  return async () => {
    held.end();
    expect((await occupying).gathered.at(-1)?.done).toBe(true);
  };
}

async function scraped(metric: string): Promise<Record<string, number>> {
  return samplesOf(await (await fetch(`${both.url}/v1/gateway/metrics`)).text(), metric);
}

async function until(metric: string, labels: string, value: number): Promise<void> {
  await vi.waitFor(async () => expect((await scraped(metric))[labels]).toBe(value), {
    interval: 10,
    timeout: 5_000,
  });
}

test("of 50 calls, 5 are under way at a time, and all are served", async () => {
  const ways = CALLERS.flatMap((caller) => {
    const conversation = caller.at(both.url);
    return [
      async (key: string) => (await conversation.chat(ask("five/gpt-4o"), optionsOf(key))).response,
      async (key: string) => {
        const { gathered, error } = await gather(conversation.stream(ask("five/gpt-4o"), optionsOf(key)));
        return error ?? gathered.map(({ token }) => token).join("");
      },
    ];
  });
  const calls = Array.from({ length: 50 }, (_, n) => ways[n % ways.length]?.(KEYS[n % 2] ?? ""));
  const open: Held[] = [];
  for (let n = 0; n < 5; n++) open.push(await upstream.next());
  await until("llm_concurrency_queued", 'model="",provider="five"', 45);
  expect((await scraped("llm_concurrency_in_flight"))['model="",provider="five"']).toBe(5);
  expect((await scraped("llm_concurrency_limit"))['model="",provider="five"']).toBe(5);
  for (let served = 0; served < 50; served++) {
    // The one that comes next is the one for which this has made room.
    expect(upstream.arrived).toBe(0);
    open.shift()?.answer("Hello");
    if (served < 45) open.push(await upstream.next());
  }
  expect(await Promise.all(calls)).toEqual(Array(50).fill("Hello"));
  expect((await scraped("llm_concurrency_in_flight"))['model="",provider="five"']).toBe(0);
  expect((await scraped("llm_concurrency_wait_ms_count"))['provider="five"']).toBeGreaterThanOrEqual(40);
});

describe.each(CALLERS)("$name", (caller) => {
  test("a full queue refuses, and says when to come back", async () => {
    const release = await occupy("full/gpt-4o");
    const conversation = caller.at(both.url);
    const streamed = async () => {
      const { gathered, error } = await gather(conversation.stream(ask("full/gpt-4o"), optionsOf("modest")));
      expect(gathered).toEqual([]);
      throw error;
    };
    for (const call of [() => conversation.chat(ask("full/gpt-4o"), optionsOf("modest")), streamed]) {
      const error = await call().then(() => undefined, ConnectError.from);
      expect.assert(error);
      expect(error.code).toBe(Code.ResourceExhausted);
      expect(error.rawMessage).toBe("1 of at most 1 calls to full are under way, and 0 wait");
      expect(error.findDetails(ErrorInfoSchema)).toMatchObject([{ reason: "concurrency_limited" }]);
      const [retryInfo] = error.findDetails(RetryInfoSchema);
      expect.assert(retryInfo?.retryDelay);
      expect(durationMs(retryInfo.retryDelay)).toBeGreaterThanOrEqual(1_000);
      expect(Number(error.metadata.get("retry-after"))).toBeGreaterThanOrEqual(1);
    }
    expect(upstream.arrived).toBe(0);
    await release();
  });

  test("a call that waits is given up at its deadline", async () => {
    const release = await occupy("late/gpt-4o");
    const grpc = caller.protocol.startsWith("grpc");
    const deadline = grpc
      ? { "grpc-timeout": `${DEADLINE_MS}m` }
      : { "connect-timeout-ms": `${DEADLINE_MS}` };
    const waiting = caller.at(both.url).chat(ask("late/gpt-4o"), optionsOf("modest", deadline));
    expect((await waiting.then(() => undefined, ConnectError.from))?.code).toBe(Code.DeadlineExceeded);
    await until("llm_concurrency_queued", 'model="",provider="late"', 0);
    expect(upstream.arrived).toBe(0);
    await release();
  });
});

test("a caller who leaves does not wait any more", async () => {
  const release = await occupy("single/gpt-4o");
  const leaving = new AbortController();
  const options = { ...optionsOf("modest"), signal: leaving.signal };
  const waiting = rest.at(both.url).chat(ask("single/gpt-4o"), options);
  await until("llm_concurrency_queued", 'model="",provider="single"', 1);
  leaving.abort();
  await expect(waiting).rejects.toThrow();
  await until("llm_concurrency_queued", 'model="",provider="single"', 0);
  await release();
  expect(upstream.arrived).toBe(0);
});

test("a caller with one call is served next, however many another has waiting", async () => {
  const release = await occupy("single/gpt-4o");
  const calling = (key: string) => rest.at(both.url).chat(ask("single/gpt-4o"), optionsOf(key));
  const greedy = [];
  for (let n = 1; n <= 4; n++) {
    greedy.push(calling("greedy"));
    await until("llm_concurrency_queued", 'model="",provider="single"', n);
  }
  const modest = calling("modest");
  await until("llm_concurrency_queued", 'model="",provider="single"', 5);
  await release();
  // Each must be answered for the next to come.
  for (const next of [greedy[0], modest, ...greedy.slice(1)]) {
    (await upstream.next()).answer("Hello");
    expect(await next).toMatchObject({ response: "Hello" });
  }
});

test("nobody waits longer than the longest wait", async () => {
  const release = await occupy("brief/gpt-4o");
  const error = await rest
    .at(both.url)
    .chat(ask("brief/gpt-4o"), optionsOf("modest"))
    .then(() => undefined, ConnectError.from);
  expect(error?.rawMessage).toBe("1 of at most 1 calls to brief are under way, and none ended in time");
  const refused = await scraped("llm_concurrency_refused_total");
  expect(refused['model="",provider="brief",reason="wait"']).toBe(1);
  await release();
});

test("a model has a limit of its own beside that of its provider", async () => {
  const releases = [await occupy("by_model/small"), await occupy("by_model/gpt-4o")];
  const error = await rest
    .at(both.url)
    .chat(ask("by_model/small"), optionsOf("modest"))
    .then(() => undefined, ConnectError.from);
  expect(error?.rawMessage).toBe("1 of at most 1 calls to by_model/small are under way, and 0 wait");
  expect(await scraped("llm_concurrency_in_flight")).toMatchObject({
    'model="",provider="by_model"': 2,
    'model="small",provider="by_model"': 1,
  });
  for (const release of releases) await release();
});

test("limits that nobody has set are not shown", async () => {
  expect(Object.keys(await scraped("llm_concurrency_limit")).join()).not.toContain("openai");
});
