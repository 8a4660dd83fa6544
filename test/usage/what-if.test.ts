/** What past calls had cost at other models, about: what is moved, how it is priced, and what is said against it. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type UsageFields, usage } from "../../src/core/usage.ts";
import type { BookedAttempt } from "../../src/core/usage-store.ts";
import { Audit } from "../../src/cost/audit/sums.ts";
import { moved } from "../../src/cost/audit/what-if.ts";
import { loadCatalog } from "../../src/cost/catalog.ts";
import { attemptOf } from "../support/call.ts";
import { start } from "../support/command.ts";
import { type GatewayUnderTest, startBoth } from "../support/gateway.ts";

const price = (usdPerMillion: number, fields: object = {}) => ({
  input_per_1k_tokens: usdPerMillion / 1_000,
  output_per_1k_tokens: (2 * usdPerMillion) / 1_000,
  ...fields,
});
const catalog = loadCatalog(
  JSON.stringify({
    version: "1",
    last_updated: "2026-01-01",
    providers: {
      openai: {
        big: price(10, { cached_input_per_1k_tokens: 0.001 }),
        small: price(1, {
          cached_input_per_1k_tokens: 0.0001,
          service_tiers: { flex: { prices: { input_per_1k_tokens: 0.0005, output_per_1k_tokens: 0.001 } } },
        }),
        narrow: price(1, { context_window_tokens: 100 }),
        terse: price(1, { max_output_tokens: 10 }),
      },
      claude: { other: price(2, { cached_input_per_1k_tokens: 0.0002 }) },
    },
  }),
  "test",
);
const prices = {
  find: ({ provider, model }: { provider: string; model: string }) => catalog.find(provider, model),
};

function sent(fields: UsageFields, others: Partial<BookedAttempt> = {}, trigger = "first"): BookedAttempt {
  return {
    callId: "call",
    requestId: "request",
    startedAtMs: 0,
    settledAtMs: 1,
    tenant: "internal",
    principal: "anonymous",
    tags: {},
    operation: "chat",
    route: "explicit",
    state: "settled",
    attempt: attemptOf({
      provider: "openai",
      model: "big",
      outcome: "ok",
      usage: usage("measured", fields),
      actualPicoUsd: 777n,
      trigger,
    }),
    ...others,
  };
}

const to = (provider: string, model: string, from = "openai/big") => new Map([[from, { provider, model }]]);
const USED = { inputTokens: 100, cachedInputTokens: 40, outputTokens: 30 };

describe("a move", () => {
  it("within a provider keeps what was cached and the service tier", () => {
    // 60 x 1,000,000 + 40 x 100,000 + 30 x 2,000,000 pico-USD.
    const standard = moved(sent(USED), to("openai", "small"), prices);
    expect(standard).toMatchObject({ repriced: { cost: 124_000_000n }, cachedAsFresh: 0, tooLong: false });
    const flex = moved(
      sent({ ...USED, cachedInputTokens: 0, serviceTier: "flex" }),
      to("openai", "small"),
      prices,
    );
    expect(flex?.repriced.cost).toBe(80_000_000n);
  });

  it("to another provider prices cached tokens as fresh, in the standard tier", () => {
    const other = moved(sent({ ...USED, serviceTier: "flex" }), to("claude", "other"), prices);
    expect(other).toMatchObject({ repriced: { cost: 320_000_000n, isAssumed: false }, cachedAsFresh: 40 });
  });

  it("says what the other model could not have read or written", () => {
    expect(moved(sent({ inputTokens: 90, outputTokens: 10 }), to("openai", "narrow"), prices)?.tooLong).toBe(
      false,
    );
    expect(moved(sent({ inputTokens: 90, outputTokens: 11 }), to("openai", "narrow"), prices)?.tooLong).toBe(
      true,
    );
    expect(moved(sent({ inputTokens: 1, outputTokens: 11 }), to("openai", "terse"), prices)?.tooLong).toBe(
      true,
    );
  });

  it("of all is of chats alone, and one by name goes before", () => {
    const all = new Map([...to("openai", "small", "all"), ...to("claude", "other")]);
    expect(moved(sent(USED), all, prices)?.to).toEqual({ provider: "claude", model: "other" });
    const chats = to("openai", "small", "all");
    expect(moved(sent(USED), chats, prices)?.to).toEqual({ provider: "openai", model: "small" });
    expect(moved(sent(USED, { operation: "embeddings" }), chats, prices)).toBeUndefined();
    expect(moved(sent(USED, {}, "semantic_cache"), chats, prices)).toBeUndefined();
  });

  it("leaves out what it does not name, and tells it", () => {
    const audit = new Audit(prices, to("openai", "small", "openai/other"));
    audit.add(sent(USED));
    expect([audit.rows(), audit.unmoved, audit.unmovedPicoUsd, audit.seen]).toEqual([[], 1, 777n, 1]);
  });
});

describe("a gateway", () => {
  let both: GatewayUnderTest;
  const run = (...args: string[]) => start("prices", "what-if", ...args, "--url", both.url).end();

  beforeAll(async () => {
    both = await startBoth();
    for (const model of ["openai/gpt-4o", "openai/gpt-4o", "claude/claude-sonnet-4-5"]) {
      const body = JSON.stringify({ model, messages: [{ role: "user", content: "Hello" }] });
      const headers = { "content-type": "application/json" };
      await fetch(`${both.url}/v1/gateway/chat`, { method: "POST", headers, body });
    }
  });
  afterAll(() => both[Symbol.asyncDispose]());

  it("puts one model in another's place, and says what to make of it", async () => {
    const { stdout, stderr, status } = await run("--map", "openai/gpt-4o=openai/gpt-4o-mini");
    expect([status, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/ openai\/gpt-4o +openai\/gpt-4o-mini +2 +\$0\.0\d+ +\$0\.0\d+ +-\$0\.0\d+/);
    expect(stdout).toMatch(
      /another tokenizer counts the same text otherwise;\n.*another length;\n.*prompt caches/,
    );
    expect(stdout).toMatch(/1 other attempts, booked with \$0\.0\d+, are left out\.\n$/);
  });

  it("finds no difference where nothing is moved elsewhere", async () => {
    const { stdout } = await run("--map", "openai/gpt-4o=openai/gpt-4o", "--json");
    expect(JSON.parse(stdout).total).toMatchObject({ attempts: "2", difference_pico_usd: "0" });
    const all = JSON.parse((await run("--map", "all=openai/gpt-4o", "--json")).stdout);
    expect([all.total.attempts, all.unmoved_attempts]).toEqual(["3", "0"]);
  });

  it.each([
    [["--map", "openai/gpt-4o=openai/unheard-of"], /moves\[0\]\.to: no price is known of openai\/unheard-of/],
    [["--map", "all=openai/gpt-4o", "--map", "all=openai/gpt-4o-mini"], /all is moved already/],
    [["--map", "gpt-4o"], /It must be who was asked and who is priced instead/],
  ])("refuses %j", async (args, words) => {
    const { status, stderr } = await run(...args);
    expect(status).toBe(1);
    expect(stderr).toMatch(words);
  });
});
