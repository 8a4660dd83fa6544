/** Texts that need several requests: one attempt, whatever becomes of each of them. */
import type { ServerResponse } from "node:http";
import { afterEach, describe, expect, it } from "vitest";
import { Failure, invalidRequest } from "../../src/core/failure.ts";
import { foldEmbeddings } from "../../src/core/reply.ts";
import { usage } from "../../src/core/usage.ts";
import { meter } from "../../src/layers/meter.ts";
import type { EmbeddingFormat } from "../../src/providers/dialect.ts";
import { httpProvider } from "../../src/providers/http.ts";
import { openaiDialect } from "../../src/providers/openai/dialect.ts";
import { createTransport, type Transport } from "../../src/wire/transport.ts";
import { type CallInit, routedCallOf } from "../support/call.ts";
import { VirtualClock } from "../support/clock.ts";
import { accountsOf } from "../support/means.ts";
import { INPUT } from "../support/prices.ts";
import { answers, NO_CREDENTIALS, type ScriptedProvider, scriptedProvider } from "../support/provider.ts";

let server: ScriptedProvider | undefined;
let transport: Transport | undefined;
afterEach(async () => {
  await server?.[Symbol.asyncDispose]();
  await transport?.close();
  server = transport = undefined;
});

/** The texts as they are, and a number for each. */
const PLAIN: EmbeddingFormat = {
  maxTexts: 2,
  encode: (_, { texts, inputType }) => {
    if (texts.includes("unspeakable")) throw invalidRequest([{ field: "input", description: "unspeakable" }]);
    return { path: "/embed", body: JSON.stringify({ texts, inputType }) };
  },
  decode: (body) => {
    const { vectors, tokens } = JSON.parse(body);
    return {
      vectors,
      usage: tokens === undefined ? undefined : usage("measured", { inputTokens: tokens }),
      servedModel: "embedding-1",
    };
  },
};

const target = { provider: "openai", model: "embedding" };

type Play = (reply: ServerResponse, texts: string[]) => void | Promise<void>;

/** Answers with the number that each text is, and two tokens a text. */
const numbers: Play = (reply, texts) =>
  json(reply, { vectors: texts.map((text) => [Number(text)]), tokens: 2 * texts.length });

function json(reply: ServerResponse, body: unknown): void {
  reply.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body));
}

async function embedding(
  play: Play,
  init: CallInit & { input: string[] },
  format: Partial<EmbeddingFormat> = {},
) {
  server = await scriptedProvider((reply, { body }) => play(reply, JSON.parse(body).texts));
  const { origin } = server;
  transport = createTransport({ origin, maxConnections: 64, connectTimeoutMs: 1_000, bufferedReads: 4 });
  const plain = openaiDialect({ maxTokensField: "max_tokens", streamUsage: true });
  const serve = httpProvider(
    { ...plain, embeddings: () => ({ ...PLAIN, ...format }) },
    { basePath: "", query: "", headers: {}, credentials: NO_CREDENTIALS },
    transport,
  );
  const call = routedCallOf({ target, embed: { input: init.input }, ...init });
  const outcome = meter(accountsOf(new VirtualClock()))(serve)(call)
    .then(foldEmbeddings)
    .then(
      ({ embeddings }) => ({ embeddings, failure: undefined }),
      (failure: unknown) => ({ embeddings: [], failure }),
    );
  return { call, outcome };
}

const sent = () => server?.requests.map(({ body }) => JSON.parse(body).texts) ?? [];
const counted = (length: number) => Array.from({ length }, (_, index) => `${index}`);

describe("texts are spread over requests", () => {
  it("as many in each as the format takes, and come back in their order", async () => {
    const slowFirst: Play = async (reply, texts) => {
      if (texts.includes("0")) await new Promise((resolve) => setTimeout(resolve, 30));
      await numbers(reply, texts);
    };
    const { call, outcome } = await embedding(slowFirst, { input: counted(5) });
    const { embeddings } = await outcome;
    expect(embeddings.map(({ index, values }) => [index, values])).toEqual(
      [0, 1, 2, 3, 4].map((index) => [index, [index]]),
    );
    expect(sent().sort()).toEqual([["0", "1"], ["2", "3"], ["4"]]);
    expect(call.tally.attempts).toMatchObject([
      {
        outcome: "ok",
        servedModel: "embedding-1",
        usage: { inputTokens: 10, totalTokens: 10, provenance: "measured" },
        actualPicoUsd: 10n * INPUT,
      },
    ]);
  });

  it("with no more tokens in each than the format takes, but for a single text", async () => {
    const input = ["1111", "2222", "3".repeat(40), "4444"];
    const { outcome } = await embedding(numbers, { input }, { maxTexts: 10, maxTokens: 2 });
    await outcome;
    expect(sent().sort()).toEqual([["1111", "2222"], ["3".repeat(40)], ["4444"]]);
  });

  it("eight under way at a time", async () => {
    let underWay = 0;
    let most = 0;
    const { outcome } = await embedding(
      async (reply, texts) => {
        most = Math.max(most, ++underWay);
        await new Promise((resolve) => setTimeout(resolve, 5));
        underWay--;
        await numbers(reply, texts);
      },
      { input: counted(40) },
      { maxTexts: 1 },
    );
    expect((await outcome).embeddings).toHaveLength(40);
    expect(most).toBe(8);
  });

  it("and nothing is sent when one of them cannot be said", async () => {
    const { call, outcome } = await embedding(numbers, { input: ["1", "2", "unspeakable"] });
    expect((await outcome).failure).toMatchObject({ kind: "invalid_request" });
    expect(sent()).toEqual([]);
    expect(call.tally.attempts).toMatchObject([{ outcome: "failed", actualPicoUsd: 0n }]);
  });
});

describe("what was used is accounted for", () => {
  it("by an estimate for each request whose usage was not told", async () => {
    const { call, outcome } = await embedding(
      (reply, texts) =>
        json(reply, { vectors: texts.map(() => [0]), tokens: texts.includes("0") ? 9 : undefined }),
      { input: ["0", "1", "2222222"] },
    );
    await outcome;
    expect(call.tally.attempts).toMatchObject([
      { outcome: "ok", usage: { inputTokens: 9 + 2, provenance: "estimated" }, actualPicoUsd: 11n * INPUT },
    ]);
  });

  it("when one is refused: what the others used, and no more is sent", async () => {
    const { call, outcome } = await embedding(
      (reply, texts) =>
        texts.includes("8")
          ? answers(429, { error: { message: "slow" } })(reply, NOTHING)
          : numbers(reply, texts),
      { input: counted(400) },
      { maxTexts: 1 },
    );
    expect((await outcome).failure).toMatchObject({ kind: "provider_rate_limited" });
    expect(sent().length).toBeLessThan(40);
    const [attempt] = call.tally.attempts;
    expect(attempt).toMatchObject({ outcome: "failed", failureKind: "provider_rate_limited" });
    const { inputTokens = 0 } = attempt?.usage ?? {};
    expect(inputTokens).toBeGreaterThanOrEqual(8);
    expect(attempt?.actualPicoUsd).toBe(BigInt(inputTokens) * INPUT);
  });

  it("when one is refused while others are under way: those are ended, and may have been paid for", async () => {
    const held = Promise.withResolvers<void>();
    const closed = Promise.withResolvers<void>();
    const { call, outcome } = await embedding(
      async (reply, texts) => {
        if (texts.includes("held for long")) {
          reply.on("close", closed.resolve);
          held.resolve();
        } else {
          await held.promise;
          answers(400, { error: { message: "no" } })(reply, NOTHING);
        }
      },
      { input: ["held for long", "refused"] },
      { maxTexts: 1 },
    );
    expect((await outcome).failure).toMatchObject({ kind: "provider_bad_request" });
    await closed.promise;
    expect(call.tally.attempts).toMatchObject([
      { outcome: "failed", usage: { inputTokens: 4, provenance: "estimated" }, actualPicoUsd: 4n * INPUT },
    ]);
  });

  it("nothing, when the only request is refused", async () => {
    const { call, outcome } = await embedding(
      (reply) => answers(500, { error: { message: "down" } })(reply, NOTHING),
      { input: ["1"] },
    );
    await outcome;
    expect(call.tally.attempts).toMatchObject([
      { outcome: "failed", usage: { inputTokens: 0, provenance: "measured" }, actualPicoUsd: 0n },
    ]);
  });

  it("when there are not as many vectors as texts", async () => {
    const { call, outcome } = await embedding((reply) => json(reply, { vectors: [[1]], tokens: 7 }), {
      input: ["1", "2"],
    });
    expect((await outcome).failure).toMatchObject({ kind: "malformed_reply" });
    expect(call.tally.attempts).toMatchObject([
      { outcome: "failed", usage: { inputTokens: 7, provenance: "measured" }, actualPicoUsd: 7n * INPUT },
    ]);
  });

  it("when the caller leaves, which ends every request under way", async () => {
    const leaving = new AbortController();
    let open = 0;
    const all = Promise.withResolvers<void>();
    const none = Promise.withResolvers<void>();
    const { call, outcome } = await embedding(
      (reply) => {
        reply.on("close", () => --open === 0 && none.resolve());
        if (++open === 3) all.resolve();
      },
      { input: ["1", "2", "3"], signal: leaving.signal },
      { maxTexts: 1 },
    );
    await all.promise;
    leaving.abort(new Failure("cancelled", "the caller left"));
    expect((await outcome).failure).toMatchObject({ kind: "cancelled" });
    await none.promise;
    expect(call.tally.attempts).toMatchObject([
      { outcome: "abandoned", usage: { inputTokens: 3, provenance: "estimated" } },
    ]);
  });
});

describe("an input type", () => {
  const inputTypes = { query: "search_query", document: "search_document" };
  const asked = { input: ["1"], embed: { input: ["1"], inputType: "query" } };

  it("goes by the wire's name", async () => {
    const { call, outcome } = await embedding(numbers, asked, { inputTypes });
    await outcome;
    expect(JSON.parse(server?.requests[0]?.body ?? "")).toMatchObject({ inputType: "search_query" });
    expect(call.tally.dropped).toEqual([]);
  });

  it("that nobody asked for is none", async () => {
    const { outcome } = await embedding(numbers, { input: ["1"] }, { inputTypes });
    await outcome;
    expect(JSON.parse(server?.requests[0]?.body ?? "")).toEqual({ texts: ["1"] });
  });

  it("is left out where there are none, and the reply says so", async () => {
    const { call, outcome } = await embedding(numbers, asked);
    expect((await outcome).embeddings).toHaveLength(1);
    expect(call.tally.dropped).toEqual(["input_type"]);
  });

  it("that the model does not know is refused, with those that it knows", async () => {
    const { outcome } = await embedding(
      numbers,
      { input: ["1"], embed: { input: ["1"], inputType: "clustering" } },
      { inputTypes },
    );
    expect((await outcome).failure).toMatchObject({
      kind: "invalid_request",
      violations: [
        { field: "input_type", description: "is not known to this model; it knows query, document" },
      ],
    });
    expect(sent()).toEqual([]);
  });
});

const NOTHING = { url: "", headers: {}, body: "" };

it("a model without embeddings is refused, with one that has them", async () => {
  server = await scriptedProvider(() => {});
  transport = createTransport({
    origin: server.origin,
    maxConnections: 1,
    connectTimeoutMs: 1_000,
    bufferedReads: 4,
  });
  const { embeddings: _, ...silent } = openaiDialect({ maxTokensField: "max_tokens", streamUsage: true });
  const endpoint = { basePath: "", query: "", headers: {}, credentials: NO_CREDENTIALS };
  for (const dialect of [silent, { ...silent, embeddings: () => undefined }]) {
    const serve = meter(accountsOf(new VirtualClock()))(httpProvider(dialect, endpoint, transport));
    await expect(serve(routedCallOf({ target, embed: { input: ["1"] } }))).rejects.toMatchObject({
      kind: "invalid_request",
      message:
        "model: openai/embedding makes no embeddings; name a model that does, such as openai/text-embedding-3-small",
    });
  }
  expect(server.requests).toEqual([]);
});
