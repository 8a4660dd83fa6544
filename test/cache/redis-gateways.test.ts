/** Two gateways on one Redis in front of one emulated provider: what one has paid for, neither pays for again. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type GatewayUnderTest, startBoth } from "../support/gateway.ts";
import { command, hasRedis, type RedisServer, startRedis } from "../support/redis.ts";

interface Reply {
  readonly response: string;
  readonly cached: boolean;
  readonly cache_kind: string;
  readonly cache: { readonly reason: string };
  readonly cost: { readonly saved_pico_usd: string; readonly actual_pico_usd: string };
}

describe.runIf(hasRedis("gateways that share a cache"))("two gateways", () => {
  let redis: RedisServer;
  let one: GatewayUnderTest;
  let other: GatewayUnderTest;
  beforeEach(async () => {
    redis = await startRedis();
    const env = { REDIS_URL: redis.url };
    // So long that no other process of the machine can make it too short.
    const cache = { enabled: true, redis: { timeout: "1s" } };
    one = await startBoth({ cache }, { env });
    // At the provider of the first.
    const providers = { openai: { base_url: `${one.emulator.url}/v1` } };
    other = await startBoth({ cache, providers }, { env });
  });
  afterEach(async () => {
    await one[Symbol.asyncDispose]();
    await other[Symbol.asyncDispose]();
    await redis[Symbol.asyncDispose]();
  });

  const ask = ({ url }: GatewayUnderTest, content: string) =>
    fetch(`${url}/v1/gateway/chat`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ messages: [{ role: "user", content }] }),
    });
  async function chat(gateway: GatewayUnderTest, content: string): Promise<Reply> {
    const response = await ask(gateway, content);
    expect(response.status).toBe(200);
    return (await response.json()) as Reply;
  }
  const calls = () => one.emulator.meter.requests.length;

  it("give what the other was answered, and say what that saved", async () => {
    const paid = await chat(one, "Hello");
    await expect.poll(() => command(redis.url, "DBSIZE")).toBe(1);
    const given = await chat(other, "Hello");
    expect(given).toMatchObject({ response: paid.response, cached: true, cache_kind: "exact" });
    expect(given.cost.saved_pico_usd).toBe(paid.cost.actual_pico_usd);
    expect(calls()).toBe(1);
    const metrics = await (await fetch(`${other.url}/v1/gateway/metrics`)).text();
    expect(metrics).toContain('llm_cache_tier_hits_total{tier="redis"} 1');
    expect(metrics).toContain('llm_cache_redis_state{direction="read"} 1');
  });

  it("count an answer once each time that it is given, to the same bytes too", async () => {
    for (let time = 0; time < 6; time++) await chat(one, "Hello");
    const metrics = await (await fetch(`${one.url}/v1/gateway/metrics`)).text();
    expect(metrics).toContain('llm_cache_tier_hits_total{tier="memory"} 5');
  });

  it("make one provider call for 200 that want the same at once", async () => {
    one.emulator.misbehave({ firstTokenMs: 1_000 });
    const replies = await Promise.all(
      Array.from({ length: 200 }, (_, i) => chat(i % 2 ? one : other, "Hello all")),
    );
    expect(calls()).toBe(1);
    const kinds = replies.map(({ cached, cache_kind }) => (cached ? cache_kind : "paid"));
    expect(kinds.filter((kind) => kind === "paid")).toHaveLength(1);
    // Who came after it has it from the cache.
    expect(new Set(kinds)).toContain("coalesced");
    expect(new Set(replies.map(({ response }) => response)).size).toBe(1);
    const [paid] = replies.filter(({ cached }) => !cached);
    const saved = replies.filter(({ cached }) => cached).map(({ cost }) => cost.saved_pico_usd);
    expect(new Set(saved)).toEqual(new Set([paid?.cost.actual_pico_usd]));
  });

  it("keep nothing of what was under way while one of them was told to clear it", async () => {
    // For longer than it takes to clear them, also on a busy machine.
    one.emulator.misbehave({ firstTokenMs: 4_000 });
    const underWay = [chat(one, "Hello"), chat(other, "Hello again")];
    await expect.poll(calls).toBe(2);
    await fetch(`${one.url}/v1/gateway/cache?model=openai/gpt-4o`, { method: "DELETE" });
    for (const { cache } of await Promise.all(underWay))
      expect(cache.reason).toBe("not kept: it was cleared while it came");
    expect(await command(redis.url, "KEYS", "llmgateway:cache:{*")).toEqual([]);
    one.emulator.misbehave({ firstTokenMs: 0 });
    expect(await chat(one, "Hello")).toMatchObject({ cached: false });
    expect(await chat(one, "Hello")).toMatchObject({ cached: true });
  });

  it("make a call each when the one that both wait for fails", async () => {
    one.emulator.misbehave({ chaos: 1, fault: "status=500 delay_ms=300" });
    const failed = await Promise.all([ask(one, "Hello"), ask(other, "Hello")]);
    expect(failed.map(({ ok }) => ok)).toEqual([false, false]);
    expect(calls()).toBe(2);
  });

  it("serve all while Redis does not answer", async () => {
    await chat(one, "Hello");
    redis.pause();
    await chat(one, "Hello");
    await chat(other, "Hello");
    await chat(other, "Hello again");
    expect(calls()).toBe(3);
    redis.resume();
  });

  it("leave Redis alone where the cache is off", async () => {
    const off = await startBoth({}, { env: { REDIS_URL: redis.url } });
    await chat(off, "Hello");
    const clients = String(await command(redis.url, "CLIENT", "LIST", "TYPE", "pubsub"));
    expect(clients.trim().split("\n")).toHaveLength(2);
    expect(await command(redis.url, "DBSIZE")).toBe(0);
    await off[Symbol.asyncDispose]();
  });
});
