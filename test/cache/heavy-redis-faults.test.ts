/** What a Redis that fails in every way costs calls under load: no failure, and hardly any time. */
import { expect, it } from "vitest";
import { type Delay, delayBefore } from "../support/delay.ts";
import { type GatewayUnderTest, startBoth } from "../support/gateway.ts";
import { command, hasRedis, type RedisServer, startRedis } from "../support/redis.ts";

/** At each gateway, in each phase. */
const CALLS = 1_500;
const AT_ONCE = 4;
/** Different requests of a phase: some are answered from memory, and some by the provider. */
const REQUESTS = 700;
const MAX_ADDED_MS = 10;

interface Phase {
  readonly name: string;
  /** Each at a part of the calls: 0 before the first. */
  readonly faults: readonly (readonly [at: number, act: (redis: RedisServer, delay: Delay) => unknown])[];
}

const PHASES: readonly Phase[] = [
  { name: "there", faults: [] },
  { name: "killed", faults: [[0.2, (redis) => redis.kill()]] },
  {
    name: "restarted",
    faults: [
      [0.2, (redis) => redis.start()],
      [0.6, (redis) => redis.kill()],
      [0.8, (redis) => redis.start()],
    ],
  },
  {
    name: "slow",
    faults: [
      [0.2, (_, delay) => slow(delay, 500)],
      [0.8, (_, delay) => slow(delay, 0)],
    ],
  },
  {
    name: "silent",
    faults: [
      [0.2, (redis) => redis.pause()],
      [0.8, (redis) => redis.resume()],
    ],
  },
  { name: "full", faults: [[0.2, ({ url }) => command(url, "CONFIG", "SET", "maxmemory", "1")]] },
  { name: "there again", faults: [[0, ({ url }) => command(url, "CONFIG", "SET", "maxmemory", "0")]] },
];

function slow(delay: Delay, ms: number): void {
  delay.delayMs = ms;
}

it.runIf(hasRedis("a cache whose Redis fails under load"))(
  "a Redis that is killed, restarted, slow, silent or full fails no call, and adds less than 10 ms to the 99th percentile",
  async () => {
    await using redis = await startRedis();
    await using delay = await delayBefore(redis.url);
    const cache = { enabled: true, max_temperature: 1 };
    const quiet = { telemetry: { log_level: "error" } };
    await using alone = await startBoth({ cache, ...quiet }, { emulator: { firstTokenMs: 5 } });
    const providers = { openai: { base_url: `${alone.emulator.url}/v1` } };
    // Another without Redis: how far the two are apart is what this machine does to the figures.
    await using control = await startBoth({ cache, providers, ...quiet });
    const env = { REDIS_URL: `redis://127.0.0.1:${delay.port}` };
    await using shared = await startBoth({ cache, providers, ...quiet }, { env });
    const gateways = [alone, control, shared];
    await load("warm", [], gateways, redis, delay);

    const rows = [];
    for (const { name, faults } of PHASES) rows.push(await load(name, faults, gateways, redis, delay));
    console.table(
      Object.fromEntries(
        rows.map(({ name, p50, p99, added, noise, failed }) => [
          name,
          {
            "p50 without, ms": p50[0],
            "p50 with": p50[1],
            "p99 without": p99[0],
            "p99 with": p99[1],
            "added p99": added.toFixed(1),
            "apart without": noise.toFixed(1),
            failed,
          },
        ]),
      ),
    );
    // By luck the two may agree in one phase: what the machine does shows over all of them.
    const noise = Math.max(...rows.map((row) => row.noise));
    for (const { name, added, failed } of rows) {
      expect(failed, name).toBe(0);
      expect(added, name).toBeLessThan(MAX_ADDED_MS + noise);
    }
    // It was asked, and is again.
    const metrics = await (await fetch(`${shared.url}/v1/gateway/metrics`)).text();
    expect(metrics).toMatch(/llm_cache_redis_errors_total\{operation="find"\} [1-9]/);
    await expect
      .poll(async () => {
        await ask(shared, `again ${Date.now()}`);
        return command(redis.url, "DBSIZE");
      })
      .not.toBe(0);
  },
  600_000,
);

/** The same requests at all, one after the other. */
async function load(
  name: string,
  faults: Phase["faults"],
  gateways: readonly GatewayUnderTest[],
  redis: RedisServer,
  delay: Delay,
) {
  const tookMs = gateways.map((): number[] => []);
  const waiting = [...faults];
  const acts: unknown[] = [];
  let failed = 0;
  let begun = 0;
  const caller = async () => {
    while (begun < CALLS) {
      const number = begun++;
      for (const [at, act] of waiting)
        if (number >= at * CALLS) {
          waiting.shift();
          acts.push(act(redis, delay));
        }
      const text = `${name} ${(number * number) % REQUESTS}`;
      // None is always the first.
      for (let turn = 0; turn < gateways.length; turn++) {
        const which = (number + turn) % gateways.length;
        const beganMs = performance.now();
        if (!(await ask(gateways[which] as GatewayUnderTest, text))) failed++;
        tookMs[which]?.push(performance.now() - beganMs);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, caller));
  await Promise.all(acts);
  const [alone = [], control = [], shared = []] = tookMs;
  const without = [...alone, ...control];
  const both = (part: number) => [quantile(without, part), quantile(shared, part)] as const;
  const p99 = both(0.99);
  const noise = Math.abs(quantile(alone, 0.99) - quantile(control, 0.99));
  return { name, failed, p50: both(0.5), p99, added: p99[1] - p99[0], noise };
}

async function ask({ url }: GatewayUnderTest, content: string): Promise<boolean> {
  const response = await fetch(`${url}/v1/gateway/chat`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ messages: [{ role: "user", content }] }),
  });
  await response.text();
  return response.ok;
}

function quantile(values: readonly number[], part: number): number {
  const value = [...values].sort((a, b) => a - b)[Math.floor(part * values.length)] ?? 0;
  return Math.round(value * 10) / 10;
}
