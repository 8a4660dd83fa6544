/** What a store should say was spent, by going through all of its rows one by one. It knows no sums. */
import { LATENCY_BOUNDS_MS, LATENCY_BUCKETS } from "../../src/core/latency.ts";
import type { Dimension, UsageQuery, UsageSums } from "../../src/core/usage-store.ts";
import type { Place } from "../support/stores.ts";

type Row = Readonly<Record<string, unknown>>;
type Sums = {
  -readonly [K in keyof UsageSums]: UsageSums[K] extends readonly number[] ? number[] : UsageSums[K];
};

const HOUR = 3_600_000;

export interface Rows {
  readonly attempts: readonly Row[];
  readonly calls: readonly Row[];
  readonly adjustments: readonly Row[];
}

export async function rowsIn(place: Pick<Place, "rows">): Promise<Rows> {
  const attempts = await place.rows("SELECT * FROM attempts WHERE state <> 'open'");
  const adjustments = await place.rows("SELECT *, hour_ms AS started_at_ms FROM adjustments");
  return { attempts, calls: await place.rows("SELECT * FROM calls"), adjustments };
}

export function bruteForce({ attempts, calls, adjustments }: Rows, query: UsageQuery): UsageSums[] {
  const sums = new Map<string, Sums>();
  const of = (row: Row) => {
    const group = query.groupBy.map((dimension) => groupOf(dimension, row));
    const key = JSON.stringify(group);
    const known = sums.get(key) ?? nothing(group);
    sums.set(key, known);
    return known;
  };
  for (const row of attempts) {
    if (!isMeant(row, query)) continue;
    const sum = of(row);
    sum.attempts++;
    if (row.outcome === "ok") sum.ok++;
    if (row.outcome === "failed") sum.failed++;
    if (row.outcome === "abandoned") sum.abandoned++;
    if (row.state === "unknown") sum.unknown++;
    if (row.provenance === "estimated") sum.estimated++;
    if (row.state === "settled" && row.cost_pico_usd === null) sum.unpriced++;
    sum.inputTokens += Number(row.input_tokens ?? 0);
    sum.cachedInputTokens += Number(row.cached_input_tokens ?? 0);
    sum.cacheWriteTokens += Number(row.cache_write_tokens ?? 0);
    sum.outputTokens += Number(row.output_tokens ?? 0);
    sum.reasoningTokens += Number(row.reasoning_tokens ?? 0);
    const cost = BigInt((row.cost_pico_usd as bigint | null) ?? 0);
    sum.costPicoUsd += cost;
    if (row.provenance === "estimated") sum.estimatedPicoUsd += cost;
    if (row.state === "unknown") sum.unknownPicoUsd += BigInt((row.reserved_pico_usd as bigint | null) ?? 0);
    if (row.outcome !== "ok" || row.latency_ms === null) continue;
    const bucket = LATENCY_BOUNDS_MS.findIndex((bound) => Number(row.latency_ms) <= bound);
    const at = bucket < 0 ? LATENCY_BUCKETS - 1 : bucket;
    sum.latencies[at] = (sum.latencies[at] ?? 0) + 1;
  }
  for (const row of calls) {
    if (!isMeant(row, query)) continue;
    const sum = of(row);
    sum.requests++;
    if (row.outcome === "failed") sum.errors++;
    if (row.outcome === "ok" && row.cache_kind !== "") sum.cachedRequests++;
    sum.savedPicoUsd += BigInt((row.saved_pico_usd as bigint | null) ?? 0);
  }
  for (const row of adjustments)
    if (isMeant(row, query)) of(row).adjustmentPicoUsd += row.adjustment_pico_usd as bigint;
  return inOrder([...sums.values()]);
}

export function inOrder(sums: readonly UsageSums[]): UsageSums[] {
  const key = ({ group }: UsageSums) => JSON.stringify(group);
  return [...sums].sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

function isMeant(row: Row, { sinceMs, untilMs, filter }: UsageQuery): boolean {
  const startedAtMs = Number(row.started_at_ms);
  if (startedAtMs < Math.floor(sinceMs / HOUR) * HOUR) return false;
  if (startedAtMs >= Math.ceil(untilMs / HOUR) * HOUR) return false;
  const { tags = {}, ...columns } = filter;
  if (Object.entries(columns).some(([name, value]) => row[name] !== value)) return false;
  const kept = JSON.parse(String(row.tags));
  return Object.entries(tags).every(([name, value]) => (kept[name] ?? "") === value);
}

function groupOf(dimension: Dimension, row: Row): string {
  const begun = new Date(Number(row.started_at_ms)).toISOString();
  if (dimension === "hour") return `${begun.slice(0, 13)}:00:00Z`;
  if (dimension === "day") return begun.slice(0, 10);
  if (dimension === "key") return String(row.principal);
  if (dimension.startsWith("tag:")) return JSON.parse(String(row.tags))[dimension.slice(4)] ?? "";
  return String(row[dimension]);
}

function nothing(group: readonly string[]): Sums {
  return {
    group,
    attempts: 0,
    ok: 0,
    failed: 0,
    abandoned: 0,
    unknown: 0,
    estimated: 0,
    unpriced: 0,
    inputTokens: 0,
    cachedInputTokens: 0,
    cacheWriteTokens: 0,
    outputTokens: 0,
    reasoningTokens: 0,
    costPicoUsd: 0n,
    estimatedPicoUsd: 0n,
    unknownPicoUsd: 0n,
    requests: 0,
    errors: 0,
    cachedRequests: 0,
    savedPicoUsd: 0n,
    adjustmentPicoUsd: 0n,
    latencies: Array.from({ length: LATENCY_BUCKETS }, () => 0),
  };
}
