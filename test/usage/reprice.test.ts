/** What past calls cost by other prices: to the pico-dollar what their line items come to, and nothing is lost or rewritten. */
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AdminService } from "../../gen/ts/llmgateway/v1/admin_pb.ts";
import type { RepriceRequest, RepriceResponse } from "../../gen/ts/llmgateway/v1/reprice_pb.ts";
import { usage } from "../../src/core/usage.ts";
import type { BookedAttempt } from "../../src/core/usage-store.ts";
import { repriced } from "../../src/cost/audit/reprice.ts";
import { loadCatalog } from "../../src/cost/catalog.ts";
import { priced } from "../../src/cost/price.ts";
import { repriceHandler } from "../../src/rpc/reprice-handler.ts";
import { attemptOf } from "../support/call.ts";
import { start } from "../support/command.ts";
import { type GatewayUnderTest, startBoth } from "../support/gateway.ts";
import { batchOf, intentOf, settlementOf } from "../support/ledger.ts";
import { engines, temporaryFolder } from "../support/stores.ts";

const DAY = 86_400_000;
const BUNDLED = readFileSync(join(import.meta.dirname, "../../docs/price-catalog.json"), "utf8");
const sha256 = (key: string) => createHash("sha256").update(key).digest("hex");
const KEYS = [
  { name: "team", sha256: sha256("caller") },
  { name: "operator", sha256: sha256("operator"), scopes: ["admin"] },
];

const catalogOf = (version: string, models: object) =>
  JSON.stringify({ version, last_updated: "2026-01-01", providers: { openai: models } });

/** In pico-USD a token: 10 digits apart, so that no kind stands in for another. */
const RICH = {
  input_per_1k_tokens: 0.001,
  cached_input_per_1k_tokens: 0.0001,
  cache_write_per_1k_tokens: 0.003,
  cache_write_1h_per_1k_tokens: 0.004,
  audio_input_per_1k_tokens: 0.005,
  image_input_per_1k_tokens: 0.006,
  output_per_1k_tokens: 0.01,
  reasoning_per_1k_tokens: 0.02,
  audio_output_per_1k_tokens: 0.03,
  image_output_per_1k_tokens: 0.04,
  usd_per_request: 0.0001,
  usd_per_image: 0.001,
  context_tiers: [
    { above_input_tokens: 500, prices: { input_per_1k_tokens: 0.002, output_per_1k_tokens: 0.03 } },
  ],
  service_tiers: { flex: { prices: { input_per_1k_tokens: 0.0005, output_per_1k_tokens: 0.005 } } },
};

/** Every price of these is three times the other's. */
const TRIPLED = JSON.parse(JSON.stringify(RICH), (key, value) =>
  typeof value === "number" && key !== "above_input_tokens" ? Number((3 * value).toFixed(6)) : value,
);

const before = loadCatalog(catalogOf("1", { rich: RICH }), "before");
const after = loadCatalog(catalogOf("2", { rich: TRIPLED }), "after");

function booked(fields: Partial<BookedAttempt> = {}): BookedAttempt {
  return {
    callId: "call",
    requestId: "request",
    startedAtMs: DAY,
    settledAtMs: DAY + 1,
    tenant: "internal",
    principal: "anonymous",
    tags: {},
    operation: "chat",
    route: "explicit",
    state: "settled",
    attempt: attemptOf({ provider: "openai", model: "rich", outcome: "ok" }),
    ...fields,
  };
}

const pricesIn = (catalog: typeof before) => ({
  find: ({ provider, model }: { provider: string; model: string }, atMs: number) =>
    catalog.find(provider, model, "", atMs),
});

describe("an attempt", () => {
  it("costs what its tokens of every kind do, in its tiers, with its images", () => {
    const count = fc.integer({ min: 0, max: 1_000 });
    const used = fc.record({
      inputTokens: count,
      cachedInputTokens: count,
      cacheWriteTokens: count,
      cacheWrite1hTokens: count,
      audioInputTokens: count,
      imageInputTokens: count,
      outputTokens: count,
      reasoningTokens: count,
      audioOutputTokens: count,
      imageOutputTokens: count,
      serviceTier: fc.constantFrom("", "flex", "unheard-of"),
    });
    fc.assert(
      fc.property(used, fc.integer({ min: 0, max: 5 }), (fields, images) => {
        const tokens = usage("measured", fields);
        const model = before.find("openai", "rich");
        const was = model && priced(model, tokens, images);
        const attempt = attemptOf({
          provider: "openai",
          model: "rich",
          usage: tokens,
          actualPicoUsd: was?.total ?? -1n,
          lineItems: was?.items ?? [],
        });
        const again = repriced(booked({ attempt }), pricesIn(before));
        expect(again.cost).toBe(was?.total);
        expect(repriced(booked({ attempt }), pricesIn(after)).cost).toBe(3n * (was?.total ?? 0n));
      }),
    );
  });

  it("is priced by what was in force when it began", () => {
    const rows = [
      { input_per_1k_tokens: 0.001, output_per_1k_tokens: 0.001 },
      { effective_from: "1970-01-11", input_per_1k_tokens: 0.002, output_per_1k_tokens: 0.002 },
    ];
    const prices = pricesIn(loadCatalog(catalogOf("3", { rich: rows }), "dated"));
    const attempt = attemptOf({
      provider: "openai",
      model: "rich",
      usage: usage("measured", { inputTokens: 1 }),
    });
    expect(repriced(booked({ attempt, startedAtMs: 10 * DAY - 1 }), prices).cost).toBe(1_000_000n);
    expect(repriced(booked({ attempt, startedAtMs: 10 * DAY }), prices).cost).toBe(2_000_000n);
  });

  it("of which nothing is known is not priced, and one that was refused costs nothing", () => {
    const prices = pricesIn(before);
    const at = { provider: "openai", model: "rich" };
    const unknown = { why: "unknown_usage" };
    expect(
      repriced(booked({ state: "unknown", attempt: attemptOf({ ...at, usage: usage("unknown") }) }), prices),
    ).toEqual(unknown);
    expect(repriced(booked({ attempt: attemptOf(at) }), prices)).toEqual(unknown);
    const elsewhere = attemptOf({ ...at, model: "unheard-of", usage: usage("measured", { inputTokens: 1 }) });
    expect(repriced(booked({ attempt: elsewhere }), prices)).toEqual({ why: "unknown_model" });
    const refused = attemptOf({ ...at, usage: usage("measured"), actualPicoUsd: 0n });
    expect(repriced(booked({ attempt: refused }), prices).cost).toBe(0n);
  });
});

describe.each(engines("repricing"))("a past on $name", (engine) => {
  afterAll(() => engine.stop());

  it("is read whole, page by page, and told by day and model; what is deleted is told", async () => {
    const place = await engine.place();
    const store = await place.open();
    const size = 1_203;
    const ids = Array.from({ length: size }, (_, n) => `call-${String(n).padStart(5, "0")}`);
    const begin = 100 * DAY;
    const intents = ids.map((id, n) =>
      // Many begin in the same millisecond, across the edges of pages.
      intentOf(id, {
        startedAtMs: begin + Math.floor(n / 401) * DAY,
        attempt: { provider: "openai", model: n % 2 ? "rich" : "odd" },
      }),
    );
    const used = usage("measured", { inputTokens: 10, outputTokens: 20 });
    const settlements = ids.map((id, n) =>
      settlementOf(id, {
        provider: "openai",
        model: n % 2 ? "rich" : "odd",
        usage: used,
        actualPicoUsd: 500n,
      }),
    );
    await store.ledger.append(batchOf({ intents }));
    await store.ledger.append(batchOf({ settlements }));
    const reply = () => ask(store.usage, { since: begin, until: begin + 3 * DAY });
    const { rows, total, deletedAttempts } = await reply();
    expect(rows.map(({ day, model }) => `${day} ${model}`)).toEqual(
      ["1970-04-11", "1970-04-12", "1970-04-13"].flatMap((day) => [`${day} odd`, `${day} rich`]),
    );
    // 10 x 1,000,000 + 20 x 10,000,000 + 100,000,000 for the request, in pico-USD.
    const one = 310_000_000n;
    const repricedCount = BigInt(Math.floor(size / 2));
    expect(total).toMatchObject({
      attempts: BigInt(size),
      repriced: repricedCount,
      bookedPicoUsd: 500n * repricedCount,
      repricedPicoUsd: one * repricedCount,
      differencePicoUsd: (one - 500n) * repricedCount,
      unknownModel: BigInt(size) - repricedCount,
      leftPicoUsd: 500n * (BigInt(size) - repricedCount),
    });
    expect(deletedAttempts).toBe(0n);
    expect(rows.reduce((sum, row) => sum + row.repricedPicoUsd, 0n)).toBe(total?.repricedPicoUsd);

    await store.ledger.rollUp(begin + 10 * DAY, begin + DAY);
    const later = await reply();
    expect(later.deletedAttempts).toBe(401n);
    expect(later.total?.attempts).toBe(BigInt(size - 401));
  });

  const ask = async (
    store: Parameters<typeof repriceHandler>[0]["usage"],
    { since, until }: { since: number; until: number },
  ): Promise<RepriceResponse> => {
    const [method, handler] = repriceHandler({
      usage: store,
      flush: async () => {},
      clock: { now: () => until },
      prices: () => ({ version: "1", json: "", ...pricesIn(before) }),
    });
    expect(method).toBe(AdminService.method.reprice);
    const request = {
      since: { seconds: BigInt(since / 1_000), nanos: 0 },
      until: { seconds: BigInt(until / 1_000), nanos: 0 },
      catalog: "",
      moves: [],
    } as unknown as RepriceRequest;
    const { message } = await handler(request, { signal: new AbortController().signal } as never);
    return message as RepriceResponse;
  };
});

describe("a gateway", () => {
  let both: GatewayUnderTest;
  const bills: { model: string; pico: bigint; items: readonly { kind: string; pico_usd: string }[] }[] = [];

  const post = async (path: string, body: object, key = "operator") => {
    const headers = { "content-type": "application/json", authorization: `Bearer ${key}` };
    const reply = await fetch(`${both.url}/v1/gateway${path}`, {
      method: "POST",
      headers,
      body: JSON.stringify(body),
    });
    return { status: reply.status, json: JSON.parse(await reply.text()) };
  };

  const chat = async (model: string, content: string) => {
    const { json } = await post(
      "/chat",
      { model, parameters: { max_tokens: 50 }, messages: [{ role: "user", content }] },
      "caller",
    );
    const attempts = json.attempts ?? json.error?.attempts ?? [];
    for (const { actual_pico_usd, line_items } of attempts)
      bills.push({ model, pico: BigInt(actual_pico_usd ?? 0), items: line_items });
  };

  beforeAll(async () => {
    both = await startBoth({ auth: { keys: KEYS } });
    for (const content of ["Hello", "Hello again", "How are you?"]) {
      await chat("openai/gpt-4o", content);
      await chat("openai/gpt-4o-mini", content);
      await chat("claude/claude-sonnet-4-5", content);
    }
    await chat("openai/gpt-4o", "[[emulate: status=400]] Hello");
    await chat("openai/unheard-of", "Hello");
    await post("/embeddings", { model: "openai/text-embedding-3-small", input: ["Hello"] }, "caller");
  });
  afterAll(() => both[Symbol.asyncDispose]());

  it("finds nothing to correct in what it booked itself", async () => {
    const { status, json } = await post("/usage/reprice", {});
    expect(status).toBe(200);
    expect(json.rows.length).toBeGreaterThan(3);
    expect(
      json.rows
        .map((row: Record<string, string>) => row.difference_pico_usd)
        .filter((d: string) => d !== "0"),
    ).toEqual([]);
    const mine = bills.reduce((sum, { pico }) => sum + pico, 0n);
    expect(BigInt(json.total.booked_pico_usd)).toBeGreaterThanOrEqual(mine);
    expect(json.total).toMatchObject({ unknown_model: "1", unknown_usage: "0", difference_usd: 0 });
  });

  it("tells what a corrected catalog makes of it, by the items of the receipts, and rewrites nothing", async () => {
    const catalog = JSON.parse(BUNDLED);
    const mend = catalog.providers.openai["gpt-4o"];
    const latest = Array.isArray(mend) ? mend.at(-1) : mend;
    latest.output_per_1k_tokens *= 2;
    delete catalog.providers.openai["gpt-4o-mini"];
    catalog.version = "corrected";
    catalog.providers.openai["unheard-of"] = { input_per_1k_tokens: 0.001, output_per_1k_tokens: 0 };
    const path = join(temporaryFolder(), "corrected.json");
    writeFileSync(path, JSON.stringify(catalog));
    const run = (...args: string[]) =>
      start("prices", "reprice", "--catalog", path, "--url", both.url, "--key", "operator", ...args).end();
    const { total: was } = (await post("/usage/reprice", {})).json;

    const { stdout, stderr, status } = await run("--json");
    expect([status, stderr]).toEqual([0, ""]);
    const { rows, price_version } = JSON.parse(stdout);
    expect(price_version).toBe("corrected");
    const rowOf = (model: string) => rows.find((row: Record<string, string>) => row.model === model);
    const outputs = bills
      .filter(({ model }) => model === "openai/gpt-4o")
      .flatMap(({ items }) => items.filter(({ kind }) => kind === "output" || kind === "reasoning"));
    const dearer = outputs.reduce((sum, item) => sum + BigInt(item.pico_usd), 0n);
    expect(dearer).toBeGreaterThan(0n);
    expect(rowOf("gpt-4o")).toMatchObject({ difference_pico_usd: String(dearer), repriced: "4" });
    const minis = bills.filter(({ model }) => model === "openai/gpt-4o-mini");
    expect(rowOf("gpt-4o-mini")).toMatchObject({
      unknown_model: "3",
      repriced: "0",
      left_pico_usd: String(minis.reduce((sum, { pico }) => sum + pico, 0n)),
    });
    expect(rowOf("unheard-of")).toMatchObject({ unpriced_before: "1", booked_pico_usd: "0" });
    expect(BigInt(rowOf("unheard-of").repriced_pico_usd)).toBeGreaterThan(0n);

    const table = (await run()).stdout;
    expect(table).toMatch(
      /by prices corrected\n\nDAY +MODEL +ATTEMPTS +BOOKED +HERE +DIFFERENCE +OF WHICH\n/,
    );
    expect(table).toMatch(/openai\/gpt-4o-mini +3 +\$0\.00 +\$0\.00 +\$0\.00 +3 without a price here/);
    expect(table).toMatch(/What cannot be priced here was booked with \$0\.0\d+/);
    expect((await run("--csv")).stdout).toMatch(
      /^day,provider,model,to_provider,.*\n\d{4}-\d\d-\d\d,claude,/,
    );
    expect((await post("/usage/reprice", {})).json.total).toEqual(was);
  });

  it("refuses a catalog by every place that is wrong, and whoever is no operator", async () => {
    const { status, json } = await post("/usage/reprice", {
      catalog: catalogOf("x", { bad: { input_per_1k_tokens: -1 } }),
    });
    expect(status).toBe(400);
    expect(JSON.stringify(json)).toMatch(/catalog.*providers\.openai\.bad/);
    expect(
      (await post("/usage/reprice", { since: "2026-02-01T00:00:00Z", until: "2026-01-01T00:00:00Z" })).status,
    ).toBe(400);
    expect((await post("/usage/reprice", {}, "caller")).status).toBe(403);
    const missing = await start("prices", "reprice", "--catalog", "nowhere.json", "--url", both.url).end();
    expect(missing).toMatchObject({ status: 1, stderr: expect.stringContaining("--catalog cannot be read") });
  });
});
