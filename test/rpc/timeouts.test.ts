/** Each limit of a provider's time, on real sockets: which one ends a call, when, and what the caller is told. */
import { Code, ConnectError } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ErrorInfoSchema } from "../../gen/ts/google/rpc/error_details_pb.ts";
import { type BlackHole, startBlackHole } from "../support/black-hole.ts";
import { CALLERS, type ChatInit } from "../support/callers.ts";
import { type GatewayUnderTest, startBoth } from "../support/gateway.ts";
import { gather } from "../support/gather.ts";
import { type Held, startUpstream, type Upstream } from "../support/upstream.ts";

const LIMIT_MS = 250;
/** A busy machine's, and the coarse timers for connections. */
const LATE_MS = 2_000;
const STREAM_MS = 2_500;

let upstream: Upstream;
let hole: BlackHole;
let both: GatewayUnderTest;
beforeAll(async () => {
  upstream = await startUpstream();
  hole = await startBlackHole();
  const at = (base_url: string, timeouts: object, more: object = {}) => {
    return { kind: "openai_compatible", base_url, prices: "openai", timeouts, ...more };
  };
  const limited = (limit: string, more: object = {}) =>
    at(upstream.url, { [limit]: `${LIMIT_MS / 1_000}s` }, more);
  both = await startBoth({
    stream: { timeout: `${STREAM_MS / 1_000}s` },
    // One attempt each, whatever became of those before.
    resilience: { retries: { max: 0 }, circuit_breaker: { enabled: false } },
    providers: {
      connect: at(`${hole.origin}/v1`, { connect: `${LIMIT_MS / 1_000}s` }),
      first: limited("first_event"),
      idle: limited("idle"),
      total: limited("total"),
      guarded: at(
        upstream.url,
        {},
        { resilience: { stream_guard: { min_tokens_per_second: 40, window: `${LIMIT_MS / 1_000}s` } } },
      ),
      patient: at(upstream.url, {}),
      by_model: at(
        upstream.url,
        {},
        { model_settings: { hasty: { timeouts: { first_event: `${LIMIT_MS / 1_000}s` } } } },
      ),
    },
  });
});
afterAll(async () => {
  await both[Symbol.asyncDispose]();
  await hole[Symbol.asyncDispose]();
  await upstream[Symbol.asyncDispose]();
});

const ask = (model: string, more: ChatInit = {}): ChatInit => ({
  messages: [{ role: "user", content: "Tell me all of it" }],
  model,
  ...more,
});

const reasonOf = (error: ConnectError | undefined) => error?.findDetails(ErrorInfoSchema)[0]?.reason;

/** Begins an answer of events, of which none says anything yet. */
function nod({ response }: Held): void {
  response.writeHead(200, { "content-type": "text/event-stream" });
  response.write(`data: ${JSON.stringify({ choices: [{ index: 0, delta: { role: "assistant" } }] })}\n\n`);
}

async function timed<T>(work: Promise<T>): Promise<T> {
  const sinceMs = performance.now();
  const result = await work;
  const tookMs = performance.now() - sinceMs;
  expect(tookMs).toBeGreaterThanOrEqual(LIMIT_MS - 5);
  expect(tookMs).toBeLessThan(LIMIT_MS + LATE_MS);
  return result;
}

const ONE_OF_EACH = CALLERS.filter(({ name }) => ["REST and SSE", "Connect in JSON", "gRPC"].includes(name));

describe.each(ONE_OF_EACH)("$name", (caller) => {
  const chat = (request: ChatInit) =>
    caller
      .at(both.url)
      .chat(request)
      .then(() => undefined, ConnectError.from);
  const stream = (request: ChatInit) => gather(caller.at(both.url).stream(request));

  /** A stream that was ended before its first word, and whose provider was left. */
  async function endedBefore(streamed: ReturnType<typeof stream>, { closed }: Held, message: string) {
    const { gathered, error } = await streamed;
    expect(gathered).toEqual([]);
    expect(error).toMatchObject({ code: Code.DeadlineExceeded, rawMessage: message });
    expect(reasonOf(error)).toBe("provider_timeout");
    await closed;
  }

  test("connect: nobody accepts", async () => {
    const unary = await timed(chat(ask("connect/gpt-4o")));
    expect(unary).toMatchObject({ code: Code.Unavailable });
    expect(reasonOf(unary)).toBe("unreachable");
    const { gathered, error } = await timed(stream(ask("connect/gpt-4o")));
    expect(gathered).toEqual([]);
    expect(reasonOf(error)).toBe("unreachable");
  });

  test.each<[string, (held: Held) => void]>([
    ["the provider accepts and says nothing", () => {}],
    ["it sends its headers alone", ({ response }) => response.writeHead(200).flushHeaders()],
    ["it begins without a word", nod],
  ])("first_event: %s", async (_, act) => {
    const streamed = timed(stream(ask("first/gpt-4o")));
    const held = await upstream.next();
    act(held);
    await endedBefore(streamed, held, `first said nothing for ${LIMIT_MS} ms`);
  });

  test("idle: one word and then silence, with the receipt of what was said", async () => {
    const streamed = timed(stream(ask("idle/gpt-4o")));
    const held = await upstream.next();
    held.say("Once");
    const { gathered, error } = await streamed;
    expect(gathered).toMatchObject([
      { token: "Once" },
      {
        error: {
          kind: "provider_timeout",
          message: `idle fell silent for ${LIMIT_MS} ms within a stream`,
          receipt: { attempts: [{ outcome: "failed", failureKind: "provider_timeout" }] },
        },
      },
    ]);
    expect(gathered[1]?.error?.receipt?.cost?.actualUsd).toBeGreaterThan(0);
    if (caller.protocol !== "rest") expect(error?.code).toBe(Code.DeadlineExceeded);
    await held.closed;
  });

  test.each<[string, (held: Held) => void]>([
    ["it says nothing", () => {}],
    [
      "it sends half of it",
      ({ response }) =>
        response.writeHead(200, { "content-type": "application/json" }).write('{"id":"1","choi'),
    ],
  ])("total, for a whole answer: %s", async (_, act) => {
    const answer = timed(chat(ask("total/gpt-4o")));
    const held = await upstream.next();
    act(held);
    const error = await answer;
    expect(error).toMatchObject({
      code: Code.DeadlineExceeded,
      rawMessage: `total did not finish within ${LIMIT_MS} ms`,
    });
    expect(reasonOf(error)).toBe("provider_timeout");
    await held.closed;
  });

  test("a model's own limit is another than its provider's", async () => {
    const streamed = timed(stream(ask("by_model/hasty")));
    await endedBefore(streamed, await upstream.next(), `by_model said nothing for ${LIMIT_MS} ms`);
  });

  test("a request may have less patience, before the first word and after", async () => {
    const resilience = { firstEventTimeoutMs: LIMIT_MS, idleTimeoutMs: LIMIT_MS };
    const silent = timed(stream(ask("patient/gpt-4o", { resilience })));
    await endedBefore(silent, await upstream.next(), `patient said nothing for ${LIMIT_MS} ms`);

    const begun = timed(stream(ask("patient/gpt-4o", { resilience })));
    const held = await upstream.next();
    held.say("Once");
    const message = `patient fell silent for ${LIMIT_MS} ms within a stream`;
    expect((await begun).gathered.at(-1)?.error).toMatchObject({ kind: "provider_timeout", message });
    await held.closed;
  });

  test("stream guard: a stream that crawls, with the receipt of what was said", async () => {
    const streamed = timed(stream(ask("guarded/gpt-4o")));
    const held = await upstream.next();
    const crawling = setInterval(() => held.say("on"), 100);
    const { gathered, error } = await streamed;
    clearInterval(crawling);
    expect(gathered.length).toBeGreaterThan(1);
    expect(gathered.at(-1)?.error).toMatchObject({
      kind: "stream_too_slow",
      message: `guarded wrote fewer than 40 tokens a second for ${LIMIT_MS} ms`,
      receipt: { attempts: [{ outcome: "failed", failureKind: "stream_too_slow" }] },
    });
    expect(gathered.at(-1)?.error?.receipt?.cost?.actualUsd).toBeGreaterThan(0);
    if (caller.protocol !== "rest") expect(error?.code).toBe(Code.DeadlineExceeded);
    await held.closed;
  });

  test("a request does not get more patience than is configured", async () => {
    const resilience = { firstEventTimeoutMs: 60_000, idleTimeoutMs: 60_000 };
    const streamed = timed(stream(ask("first/gpt-4o", { resilience })));
    await endedBefore(streamed, await upstream.next(), `first said nothing for ${LIMIT_MS} ms`);
  });
});

test("a stream must end in time, however lively it is", async () => {
  const [rest] = CALLERS;
  expect.assert(rest);
  const streamed = gather(rest.at(both.url).stream(ask("patient/gpt-4o")));
  const held = await upstream.next();
  const talking = setInterval(() => held.say("on and "), 20);
  const { gathered } = await streamed;
  clearInterval(talking);
  expect(gathered.length).toBeGreaterThan(10);
  const message = `patient did not finish within ${STREAM_MS} ms`;
  expect(gathered.at(-1)?.error).toMatchObject({ kind: "provider_timeout", message });
  await held.closed;
});
