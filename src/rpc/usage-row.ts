/** Sums as rows of the contract: in order, with dollars, shares and percentiles. It knows no store. */
import { create } from "@bufbuild/protobuf";
import { type GetUsageRequest, type UsageRow, UsageRowSchema } from "../../gen/ts/llmgateway/v1/usage_pb.ts";
import { LATENCY_BUCKETS, percentile } from "../core/latency.ts";
import { type PicoUsd, toUsd } from "../core/money.ts";
import type { Dimension, UsageSums } from "../core/usage-store.ts";

type Amount = number | bigint;

const BY: Readonly<Record<string, (sums: UsageSums) => Amount>> = {
  cost: ({ costPicoUsd }) => costPicoUsd,
  adjusted: ({ costPicoUsd, adjustmentPicoUsd }) => costPicoUsd + adjustmentPicoUsd,
  requests: ({ requests }) => requests,
  errors: ({ errors }) => errors,
  attempts: ({ attempts }) => attempts,
  input_tokens: ({ inputTokens }) => inputTokens,
  output_tokens: ({ outputTokens }) => outputTokens,
  saved: ({ savedPicoUsd }) => savedPicoUsd,
};

/** Those that are equal, by their group. */
export function inOrder(sums: readonly UsageSums[], { orderBy, groupBy }: GetUsageRequest): UsageSums[] {
  const timely = groupBy.includes("hour") || groupBy.includes("day");
  const amount = BY[orderBy || (timely ? "group" : "cost")];
  return [...sums].sort((a, b) => (amount && compare(amount(b), amount(a))) || compareGroups(a, b));
}

export function rowOf(sums: UsageSums, groupBy: readonly Dimension[]): UsageRow {
  const { group, latencies, costPicoUsd, adjustmentPicoUsd, savedPicoUsd, ...others } = sums;
  const { unknownPicoUsd, estimatedPicoUsd, ...counts } = others;
  const { attempts, ok, failed, abandoned, unknown, estimated, unpriced, requests, errors, ...rest } = counts;
  const share = (part: number) => (attempts === 0 ? 0 : part / attempts);
  return create(UsageRowSchema, {
    group: Object.fromEntries(groupBy.map((dimension, index) => [dimension, group[index] ?? ""])),
    ...dollars("cost", costPicoUsd),
    ...dollars("adjustment", adjustmentPicoUsd),
    ...dollars("adjusted", costPicoUsd + adjustmentPicoUsd),
    ...dollars("saved", savedPicoUsd),
    ...dollars("unknown", unknownPicoUsd),
    ...dollars("estimated", estimatedPicoUsd),
    requests: BigInt(requests),
    errors: BigInt(errors),
    attempts: BigInt(attempts),
    ok: BigInt(ok),
    failed: BigInt(failed),
    abandoned: BigInt(abandoned),
    unknown: BigInt(unknown),
    estimated: BigInt(estimated),
    unpriced: BigInt(unpriced),
    estimatedShare: share(estimated),
    unknownShare: share(unknown),
    unpricedShare: share(unpriced),
    ...Object.fromEntries(Object.entries(rest).map(([name, count]) => [name, BigInt(count)])),
    ...times(latencies),
  });
}

/** Of all of them together. */
export function totalOf(all: readonly UsageSums[]): UsageRow {
  const total: Record<string, Amount> = {};
  const latencies = Array.from({ length: LATENCY_BUCKETS }, () => 0);
  for (const { group: _, latencies: counts, ...sums } of all) {
    for (const [name, amount] of Object.entries(sums)) total[name] = plus(total[name], amount);
    counts.forEach((count, bucket) => {
      latencies[bucket] = (latencies[bucket] ?? 0) + count;
    });
  }
  return all.length === 0
    ? create(UsageRowSchema)
    : rowOf({ ...total, group: [], latencies } as UsageSums & object, []);
}

function plus(sum: Amount | undefined, amount: Amount): Amount {
  if (typeof amount === "bigint") return BigInt(sum ?? 0) + amount;
  return Number(sum ?? 0) + amount;
}

function compare(a: Amount, b: Amount): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function compareGroups({ group: a }: UsageSums, { group: b }: UsageSums): number {
  const at = a.findIndex((name, index) => name !== b[index]);
  return at < 0 ? 0 : (a[at] ?? "") < (b[at] ?? "") ? -1 : 1;
}

function dollars<Name extends string>(name: Name, picoUsd: bigint) {
  return { [`${name}Usd`]: toUsd(picoUsd as PicoUsd), [`${name}PicoUsd`]: picoUsd };
}

function times(latencies: readonly number[]) {
  const at = (share: number) => percentile(latencies, share);
  const [p50, p95, p99] = [at(0.5), at(0.95), at(0.99)];
  if (p50 === undefined || p95 === undefined || p99 === undefined) return {};
  return { latencyP50Ms: p50, latencyP95Ms: p95, latencyP99Ms: p99 };
}
