import type { ServerResponse } from "node:http";
import { afterEach, describe, expect, it, vi } from "vitest";
import { Failure } from "../../src/core/failure.ts";
import { fold } from "../../src/core/reply.ts";
import type { Credentials } from "../../src/providers/credentials.ts";
import { httpProvider, splitBaseUrl } from "../../src/providers/http.ts";
import { openaiDialect } from "../../src/providers/openai/dialect.ts";
import { createTransport, type Transport, type WireReply } from "../../src/wire/transport.ts";
import { attemptCallOf, type CallInit, eventsOf } from "../support/call.ts";
import {
  answers,
  NO_CREDENTIALS,
  type Play,
  type ScriptedProvider,
  scriptedProvider,
} from "../support/provider.ts";

let server: ScriptedProvider | undefined;
let transport: Transport | undefined;
afterEach(async () => {
  await server?.[Symbol.asyncDispose]();
  await transport?.close();
  server = transport = undefined;
});

/** Calls a provider that speaks OpenAI's dialect and plays this. */
async function calling(
  play: Play,
  init: CallInit & { maxTokens?: number } = {},
  credentials: Credentials = NO_CREDENTIALS,
) {
  server = await scriptedProvider(play);
  const { origin } = server;
  transport = createTransport({ origin, maxConnections: 2, connectTimeoutMs: 1_000, bufferedReads: 4 });
  const dialect = openaiDialect({ maxTokensField: "max_tokens", streamUsage: true });
  const provider = httpProvider(
    dialect,
    { basePath: "/v1", query: "a=b", headers: { "x-key": "k" }, credentials },
    transport,
  );
  const call = attemptCallOf(init);
  return { call, reply: provider(call) };
}

const SSE = { "content-type": "text/event-stream; charset=utf-8" };
const chunk = (delta: object, finish_reason: string | null = null, rest: object = {}) =>
  `data: ${JSON.stringify({ model: "gpt-4o-2024-08-06", choices: [{ index: 0, delta, finish_reason }], ...rest })}\n\n`;
const ROLE = chunk({ role: "assistant", content: null });
const HELLO = chunk({ content: "Hello" });
const STOP = chunk({}, "stop");
const USAGE = `data: ${JSON.stringify({ choices: [], usage: { prompt_tokens: 9, completion_tokens: 1 } })}\n\n`;
const DONE = "data: [DONE]\n\n";
const ERROR = `data: ${JSON.stringify({ error: { message: "busy", type: "overloaded_error" } })}\n\n`;

/** One write after the other, each read by itself. */
async function stream(reply: ServerResponse, ...pieces: string[]): Promise<void> {
  if (!reply.headersSent) reply.writeHead(200, SSE);
  for (const piece of pieces) {
    await new Promise((resolve) => reply.write(piece, resolve));
    await new Promise(setImmediate);
  }
}

it("posts what the dialect says to where the endpoint is", async () => {
  const { reply } = await calling(answers(200, {}), { streaming: false, maxTokens: 5 });
  await expect(reply).rejects.toMatchObject({ kind: "malformed_reply" });
  const [request] = server?.requests ?? [];
  expect(request).toMatchObject({
    url: "/v1/chat/completions?a=b",
    headers: { "x-key": "k", "content-type": "application/json" },
  });
  expect(JSON.parse(request?.body ?? "")).toMatchObject({ model: "gpt-4o", max_tokens: 5 });
});

describe("a stream commits", () => {
  it("with its first content, not with its head or its role", async () => {
    const committed = Promise.withResolvers<void>();
    const head = Promise.withResolvers<void>();
    const { reply } = await calling(async (out) => {
      await stream(out, ": ping\n\n", ROLE);
      head.resolve();
      await new Promise((resolve) => setTimeout(resolve, 20));
      await stream(out, HELLO);
      await committed.promise;
      await stream(out, STOP, USAGE, DONE);
      out.end();
    });
    const seen = vi.fn();
    reply.then(seen);
    await head.promise;
    expect(seen).not.toHaveBeenCalled();
    const { events } = await reply;
    committed.resolve();
    expect(await eventsOf({ events })).toMatchObject([
      { token: "Hello" },
      { done: true, finishReason: "stop" },
    ]);
  });

  it.each([
    ["an error", ERROR, "provider_overloaded"],
    ["what cannot be read", "data: {oops\n\n", "malformed_reply"],
    ["its end", "", "cut"],
  ])("never, when %s comes first", async (_, piece, kind) => {
    const { reply } = await calling(async (out) => {
      await stream(out, ROLE, piece);
      out.end();
    });
    await expect(reply).rejects.toMatchObject({ kind });
  });

  it("before an error that comes after its first content, in the same read too", async () => {
    const { reply } = await calling(async (out) => {
      await stream(out, ROLE + HELLO + ERROR);
      out.end();
    });
    const seen: unknown[] = [];
    const { events } = await reply;
    const failing = (async () => {
      for await (const batch of events) seen.push(...batch);
    })();
    await expect(failing).rejects.toMatchObject({ kind: "provider_overloaded" });
    expect(seen).toMatchObject([{ token: "Hello" }]);
  });

  it("with its end, when the model says nothing", async () => {
    const { reply } = await calling(async (out) => {
      await stream(out, ROLE, chunk({}, "content_filter"), DONE);
      out.end();
    });
    expect(await eventsOf(await reply)).toMatchObject([{ done: true, finishReason: "content_filter" }]);
  });
});

describe("what the provider reports", () => {
  it("is on the attempt when the stream is done", async () => {
    const { call, reply } = await calling(async (out) => {
      await stream(out, HELLO + STOP, USAGE, DONE);
      out.end();
    });
    for await (const batch of (await reply).events) {
      if (batch.at(-1)?.done) expect(call.attempt.usage).toMatchObject({ inputTokens: 9, outputTokens: 1 });
    }
    expect(call.attempt.servedModel).toBe("gpt-4o-2024-08-06");
  });

  it("outlives a connection that is cut, and an error", async () => {
    const early = chunk({ content: "Hi" }, null, { usage: { prompt_tokens: 9, completion_tokens: 1 } });
    for (const end of [
      (out: ServerResponse) => void out.destroy(),
      (out: ServerResponse) => stream(out, ERROR),
    ]) {
      const { call, reply } = await calling(async (out) => {
        await stream(out, early);
        await end(out);
      });
      await expect(reply.then(eventsOf)).rejects.toBeInstanceOf(Failure);
      expect(call.attempt).toMatchObject({
        usage: { provenance: "estimated", inputTokens: 9, outputTokens: 1 },
        servedModel: "gpt-4o-2024-08-06",
      });
      await server?.[Symbol.asyncDispose]();
    }
  });

  it("is on the attempt before a failure before the first content is told", async () => {
    const { call, reply } = await calling(async (out) => {
      await stream(out, USAGE + ERROR);
      out.end();
    });
    await expect(reply).rejects.toBeInstanceOf(Failure);
    expect(call.attempt.usage).toMatchObject({ inputTokens: 9 });
  });
});

describe("a unary call", () => {
  const completion = {
    model: "gpt-4o-2024-08-06",
    choices: [{ index: 0, message: { role: "assistant", content: "Hello" }, finish_reason: "stop" }],
    usage: { prompt_tokens: 9, completion_tokens: 1 },
  };

  it("commits with its whole reply", async () => {
    const { call, reply } = await calling(answers(200, completion), { streaming: false });
    expect(await fold(await reply)).toMatchObject({ response: "Hello", finishReason: "stop" });
    expect(call.attempt).toMatchObject({ usage: { totalTokens: 10 }, servedModel: "gpt-4o-2024-08-06" });
  });

  it("is failed as a whole by a stream that breaks off, though it was answered with one", async () => {
    const { reply } = await calling(
      async (out) => {
        await stream(out, HELLO, ERROR);
        out.end();
      },
      { streaming: false },
    );
    await expect(reply).rejects.toMatchObject({ kind: "provider_overloaded" });
  });

  it("may be answered with a stream", async () => {
    const { reply } = await calling(
      async (out) => {
        await stream(out, HELLO, STOP, USAGE, DONE);
        out.end();
      },
      { streaming: false },
    );
    expect(await fold(await reply)).toMatchObject({ response: "Hello", finishReason: "stop" });
  });

  it("of a stream may be what the provider answers to a stream", async () => {
    const { reply } = await calling(answers(200, completion));
    expect(await fold(await reply)).toMatchObject({ response: "Hello" });
  });
});

it("classifies by status, headers and body", async () => {
  const { reply } = await calling((out) => {
    out.writeHead(429, { "retry-after": "3" });
    out.end(JSON.stringify({ error: { message: "slow down", code: "rate_limit_exceeded" } }));
  });
  await expect(reply).rejects.toMatchObject({
    kind: "provider_rate_limited",
    retryAfterMs: 3_000,
    operator: expect.stringContaining("slow down"),
  });
});

it.each<[string, string, Play]>([
  [
    "breaks off",
    "provider_rate_limited",
    (out) => {
      out.writeHead(429, { "retry-after": "3", "content-length": 100 });
      out.write('{"error":', () => out.destroy());
    },
  ],
  ["is too long", "provider_error", (out) => void out.writeHead(502).end("x".repeat(2 ** 20 + 1))],
  [
    "is in an unknown coding",
    "provider_overloaded",
    (out) => void out.writeHead(503, { "content-encoding": "zstd" }).end("x"),
  ],
  [
    "is not in the coding that it names",
    "provider_auth",
    (out) => void out.writeHead(401, { "content-encoding": "gzip" }).end("{}"),
  ],
  ["leads elsewhere", "provider_error", (out) => void out.writeHead(308, { location: "/" }).end()],
])("a refusal that %s is one all the same, and free", async (_, kind, play) => {
  const onFailure = vi.fn();
  const { reply } = await calling(play, {}, { prove: () => ({ headers: {}, secret: "", onFailure }) });
  const retryAfterMs = kind === "provider_rate_limited" ? 3_000 : undefined;
  await expect(reply).rejects.toMatchObject({ kind, retryAfterMs, maybePaid: false });
  expect(onFailure).toHaveBeenCalledOnce();
});

it.each([
  [429, false],
  [504, true],
])(
  "a caller who leaves while a refusal with %i is read has left, and it may be paid for: %s",
  async (status, maybePaid) => {
    const left = new AbortController();
    const refusal: WireReply = {
      ...{ status, headers: {}, read: async () => undefined, cancel: () => {} },
      text: async () => {
        left.abort(new Failure("cancelled", "gone"));
        throw left.signal.reason;
      },
    };
    const provider = httpProvider(
      openaiDialect({ maxTokensField: "max_tokens", streamUsage: true }),
      { basePath: "", query: "", headers: {}, credentials: NO_CREDENTIALS },
      { post: async () => refusal, close: async () => {} },
    );
    const reply = provider(attemptCallOf({ signal: left.signal }));
    await expect(reply).rejects.toMatchObject({ kind: "cancelled", maybePaid });
  },
);

it("lets go of the provider when the reader leaves", async () => {
  const closed = Promise.withResolvers<void>();
  const { reply } = await calling(async (out) => {
    out.on("close", closed.resolve);
    await stream(out, HELLO);
  });
  for await (const batch of (await reply).events) {
    expect(batch).toMatchObject([{ token: "Hello" }]);
    break;
  }
  await closed.promise;
});

describe("splitBaseUrl", () => {
  it.each([
    ["https://api.openai.com/v1", "https://api.openai.com", "/v1"],
    ["http://localhost:8000/v1//", "http://localhost:8000", "/v1"],
    ["http://localhost:8000", "http://localhost:8000", ""],
  ])("%s", (url, origin, basePath) => {
    expect(splitBaseUrl(url)).toEqual({ origin, basePath });
  });
});

describe("credentials that take their time", () => {
  it("are waited for", async () => {
    const prove = async () => ({ headers: { authorization: "Bearer late" }, secret: "late" });
    const { reply } = await calling(
      (wire) => stream(wire, HELLO, STOP, DONE).then(() => void wire.end()),
      {},
      { prove },
    );
    await fold(await reply);
    expect(server?.requests[0]?.headers.authorization).toBe("Bearer late");
  });

  it("keep nobody who leaves, and nothing is booked for that", async () => {
    const leaving = new AbortController();
    const prove = () => new Promise<never>(() => {});
    const { reply } = await calling(answers(200, {}), { signal: leaving.signal }, { prove });
    leaving.abort(new Failure("cancelled", "gone"));
    await expect(reply).rejects.toMatchObject({ kind: "cancelled", maybePaid: false });
    expect(server?.requests).toHaveLength(0);
  });

  it("that cannot be had are the call's failure", async () => {
    const prove = () => Promise.reject(new Failure("provider_auth", "no token"));
    const { reply } = await calling(answers(200, {}), {}, { prove });
    await expect(reply).rejects.toMatchObject({ kind: "provider_auth" });
  });
});
