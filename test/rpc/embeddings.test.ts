/** Embeddings, whatever the protocol: the same vectors, the same cost, the same failures, by every way in. */
import { Code, ConnectError } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ErrorInfoSchema } from "../../gen/ts/google/rpc/error_details_pb.ts";
import { ReceiptSchema } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import { CALLERS, type EmbedInit } from "../support/callers.ts";
import { samplesOf } from "../support/exposition.ts";
import { type GatewayUnderTest, startBoth } from "../support/gateway.ts";
import { http1 } from "../support/http.ts";
import { answers, type Play, type ScriptedProvider, scriptedProvider } from "../support/provider.ts";

/** text-embedding-3-small in the catalog: $0.00002 for 1,000 tokens. */
const PICO_PER_TOKEN = 20_000n;

const VECTOR = [0.1, -0.25, 0.0625];

let play: Play = () => {};
let scripted: ScriptedProvider;
let both: GatewayUnderTest;
beforeAll(async () => {
  scripted = await scriptedProvider((reply, request) => play(reply, request));
  both = await startBoth({
    providers: { scripted: { kind: "openai_compatible", base_url: scripted.origin, prices: "openai" } },
  });
});
afterAll(async () => {
  await both[Symbol.asyncDispose]();
  await scripted[Symbol.asyncDispose]();
});

const ASK: EmbedInit = {
  input: ["What is a gateway?", "Hello, world", "What is a gateway?"],
  model: "openai",
  metadata: { team: "search" },
};
const HELD: EmbedInit = { input: ["Hello"], model: "scripted/text-embedding-3-small" };

/** What the provider metered for the request that it served last. */
function metered() {
  const last = both.emulator.meter.requests.at(-1);
  if (!last) throw new Error("the provider was not called");
  const picoUsd = BigInt(last.inputTokens) * PICO_PER_TOKEN;
  return { ...last, picoUsd, usd: Number(picoUsd) / 1e12 };
}

describe.each(CALLERS)("$name", ({ at, protocol }) => {
  const conversation = () => at(both.url);

  test("answers with a vector for each text, and says what they cost", async () => {
    const requestId = `embed-${crypto.randomUUID()}`;
    const reply = await conversation().embed(ASK, { headers: { "x-request-id": requestId } });
    const { inputTokens, picoUsd, usd, model, path } = metered();
    expect({ model, path }).toEqual({ model: "text-embedding-3-small", path: "/v1/embeddings" });
    expect(reply.embeddings.map(({ index }) => index)).toEqual([0, 1, 2]);
    const [first, second, third] = reply.embeddings.map(({ values }) => values);
    expect(first).toHaveLength(1536);
    expect(Math.hypot(...(first ?? []))).toBeCloseTo(1, 5);
    expect(third).toEqual(first);
    expect(second).not.toEqual(first);
    expect(reply).toMatchObject({
      provider: "openai",
      model: "text-embedding-3-small",
      requestId,
      cached: false,
      route: { policy: "explicit" },
      dropped: [],
    });
    expect(reply.cost).toMatchObject({
      inputTokens,
      outputTokens: 0,
      totalTokens: inputTokens,
      actualPicoUsd: picoUsd,
      actualUsd: usd,
      provenance: "measured",
    });
    expect(reply.cost?.estimatedPicoUsd).toBeGreaterThan(0n);
    expect(reply.attempts).toMatchObject([
      { number: 1, provider: "openai", outcome: "ok", servedModel: model, actualPicoUsd: picoUsd },
    ]);
    expect(await both.log.about(requestId)).toMatchObject({
      protocol,
      method: "Embed",
      outcome: "ok",
      input_tokens: inputTokens,
      output_tokens: 0,
      cost_pico_usd: picoUsd.toString(),
      metadata: { team: "search" },
    });
  });

  test("says the same numbers as everybody else", async () => {
    play = answers(200, { data: [{ index: 0, embedding: VECTOR }], model: "m" });
    const { embeddings, cost } = await conversation().embed(HELD);
    expect(embeddings[0]?.values.map(Math.fround)).toEqual(VECTOR.map(Math.fround));
    // "Hello" is five bytes, and this provider reported no usage.
    expect(cost).toMatchObject({
      inputTokens: 2,
      provenance: "estimated",
      actualPicoUsd: 2n * PICO_PER_TOKEN,
    });
  });

  test("shortens them where it is asked to, and says what it did not tell the provider", async () => {
    const { embeddings, dropped } = await conversation().embed({
      ...ASK,
      dimensions: 64,
      inputType: "query",
    });
    expect(embeddings.map(({ values }) => values.length)).toEqual([64, 64, 64]);
    expect(dropped).toEqual(["input_type"]);
  });

  test("tells a failure by its status, with what it cost", async () => {
    const failure = await conversation()
      .embed({ ...ASK, input: ["[[emulate: status=429 retry_after=7]] Hello"] })
      .catch(ConnectError.from);
    expect.assert(failure instanceof ConnectError);
    expect(failure.code).toBe(Code.ResourceExhausted);
    expect(failure.findDetails(ErrorInfoSchema)).toMatchObject([{ reason: "provider_rate_limited" }]);
    expect(failure.findDetails(ReceiptSchema)).toMatchObject([{ cost: { actualPicoUsd: 0n } }]);
    expect(failure.metadata.get("retry-after")).toBe("7");
  });

  test.each([
    [{ input: [] }, "input"],
    [{ input: ["a", ""] }, "input[1]"],
    [{ input: Array.from({ length: 2049 }, () => "a") }, "input"],
    [{ input: ["a"], dimensions: 0 }, "dimensions"],
    [{ input: ["a"], inputType: "passage" }, "input_type"],
    [{ input: ["a"], maxCostUsd: 0 }, "max_cost_usd"],
    [{ input: ["a"], timeoutMs: 0 }, "timeout_ms"],
  ])("refuses what cannot be: %#", async (request, field) => {
    const failure = await conversation()
      .embed({ model: "openai", ...request })
      .catch(ConnectError.from);
    expect(failure).toMatchObject({ code: Code.InvalidArgument });
    expect((failure as ConnectError).rawMessage).toMatch(`${field}: `);
  });

  test("a caller who leaves takes the provider's work along", async () => {
    const held = Promise.withResolvers<void>();
    const closed = Promise.withResolvers<void>();
    play = (reply) => {
      reply.on("close", closed.resolve);
      held.resolve();
    };
    const requestId = crypto.randomUUID();
    const leaving = new AbortController();
    const answer = conversation().embed(HELD, {
      headers: { "x-request-id": requestId },
      signal: leaving.signal,
    });
    await held.promise;
    leaving.abort();
    await expect(answer).rejects.toThrow();
    await closed.promise;
    expect(await both.log.about(requestId)).toMatchObject({
      outcome: "abandoned",
      failure_kind: "cancelled",
      provenance: "estimated",
      cost_pico_usd: (2n * PICO_PER_TOKEN).toString(),
    });
  });

  test("timeout_ms ends it", async () => {
    const closed = Promise.withResolvers<void>();
    play = (reply) => void reply.on("close", closed.resolve);
    const failure = await conversation()
      .embed({ ...HELD, timeoutMs: 50 })
      .catch(ConnectError.from);
    await closed.promise;
    expect(failure).toMatchObject({ code: Code.DeadlineExceeded });
    expect((failure as ConnectError).findDetails(ReceiptSchema)).toMatchObject([
      { cost: { provenance: "estimated", actualPicoUsd: 2n * PICO_PER_TOKEN } },
    ]);
  });
});

describe("money", () => {
  const embed = (request: EmbedInit) => (CALLERS[0] as (typeof CALLERS)[0]).at(both.url).embed(request);

  test("a ceiling that affords it changes nothing", async () => {
    const { cost } = await embed({ ...ASK, maxCostUsd: 0.001 });
    expect(cost?.actualPicoUsd).toBe(metered().picoUsd);
  });

  test("a ceiling below what it is expected to cost refuses it, before the provider is called", async () => {
    const before = both.emulator.meter.requests.length;
    // 5,000 words of a token each cost $0.0001, and are counted, since money is short.
    const input = ["word ".repeat(5_000).trimEnd()];
    const failure = await embed({ ...ASK, input, maxCostUsd: 0.000_1 }).catch(ConnectError.from);
    expect((failure as ConnectError).rawMessage).toBe(
      "max_cost_usd affords no reply from openai/text-embedding-3-small: the least is about $0.00010316",
    );
    expect(both.emulator.meter.requests).toHaveLength(before);
    const { cost } = await embed({ ...ASK, input, maxCostUsd: 0.000_104 });
    expect(cost?.estimatedUsd).toBe(0.000_1);
  });

  test("without a known price, the cost is absent and a ceiling cannot be kept", async () => {
    const unpriced = { ...ASK, modelVersion: "text-embedding-unheard-of" };
    const { cost, embeddings } = await embed(unpriced);
    expect(embeddings).toHaveLength(3);
    expect(cost).toMatchObject({ provenance: "unknown", inputTokens: metered().inputTokens });
    expect(cost?.actualPicoUsd).toBeUndefined();
    await expect(embed({ ...unpriced, maxCostUsd: 1 })).rejects.toMatchObject({
      code: Code.ResourceExhausted,
    });
  });
});

test("the metrics have a route of their own", async () => {
  const text = await (await fetch(`${both.url}/v1/gateway/metrics`)).text();
  const labels = 'model="text-embedding-3-small",provider="openai",route="embed"';
  expect(samplesOf(text, "llm_requests_total")[`${labels},success="true"`]).toBeGreaterThan(0);
  expect(samplesOf(text, "llm_cost_usd_total")[labels]).toBeGreaterThan(0);
});

test("REST takes a list, and says so to who gives a text", async () => {
  const url = `${both.url}/v1/gateway/embeddings`;
  const good = await http1(url, JSON.stringify({ input: ["Hello"], model: "openai", dimensions: 2 }));
  const json = JSON.parse(await good.text());
  expect(json).toMatchObject({
    embeddings: [{ index: 0, values: [expect.any(Number), expect.any(Number)] }],
    model: "text-embedding-3-small",
    cost: { output_tokens: 0, provenance: "measured" },
    dropped: [],
  });
  const bad = await http1(url, JSON.stringify({ input: "Hello", model: "openai" }));
  expect(bad.status).toBe(400);
  expect(JSON.parse(await bad.text()).message).toBe("input: must be a list, got a string");
});
