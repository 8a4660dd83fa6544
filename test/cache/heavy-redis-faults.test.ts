/** What a Redis that fails in every way costs calls under load: no failure, and hardly any time. */
import { expect, it } from "vitest";
import { type Delay, delayBefore } from "../support/delay.ts";
import { type GatewayUnderTest, startBoth } from "../support/gateway.ts";
import { hasRedis, type RedisServer, startRedis } from "../support/redis.ts";
import { command } from "./replicas.ts";

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
    const env = { REDIS_URL: `redis://127.0.0.1:${delay.port}` };
    await using shared = await startBoth({ cache, providers, ...quiet }, { env });
    await load("warm", [], alone, shared, redis, delay);

    const rows = [];
    for (const { name, faults } of PHASES) rows.push(await load(name, faults, alone, shared, redis, delay));
    console.table(
      Object.fromEntries(
        rows.map(({ name, p50, p99, failed }) => [
          name,
          {
            "p50 without": p50[0].toFixed(1),
            "p50 with": p50[1].toFixed(1),
            "p99 without": p99[0].toFixed(1),
            "p99 with": p99[1].toFixed(1),
            "added p99, ms": (p99[1] - p99[0]).toFixed(1),
            failed,
          },
        ]),
      ),
    );
    for (const { name, p99, failed } of rows) {
      expect(failed, name).toBe(0);
      expect(p99[1] - p99[0], name).toBeLessThan(MAX_ADDED_MS);
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

/** The same requests at both, one after the other. */
async function load(
  name: string,
  faults: Phase["faults"],
  alone: GatewayUnderTest,
  shared: GatewayUnderTest,
  redis: RedisServer,
  delay: Delay,
) {
  const tookMs: [number[], number[]] = [[], []];
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
      // Neither is always the first.
      for (const which of number % 2 ? ([0, 1] as const) : ([1, 0] as const)) {
        const beganMs = performance.now();
        if (!(await ask(which ? shared : alone, text))) failed++;
        tookMs[which].push(performance.now() - beganMs);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, caller));
  await Promise.all(acts);
  const both = (part: number) => [quantile(tookMs[0], part), quantile(tookMs[1], part)] as const;
  return { name, failed, p50: both(0.5), p99: both(0.99) };
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
  return [...values].sort((a, b) => a - b)[Math.floor(part * values.length)] ?? 0;
}
