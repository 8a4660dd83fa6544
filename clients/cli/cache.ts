/** `llmgateway cache`: what the gateway's cache holds and saved, clearing it, and warming it. */
import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { fromJsonString, toJsonString } from "@bufbuild/protobuf";
import {
  ClearCacheResponseSchema,
  type GetCacheStatsResponse,
  GetCacheStatsResponseSchema,
  type WarmCacheResponse,
  WarmCacheResponseSchema,
} from "../../gen/ts/llmgateway/v1/admin_pb.ts";
import { type ChatRequest, ChatRequestSchema } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { messageOf } from "../../src/core/message.ts";
import { call, JSON_OPTIONS } from "./call.ts";
import { dollars } from "./describe.ts";
import { InputError } from "./input-error.ts";
import { type JsonOptions, when } from "./jobs.ts";
import { fields, table } from "./table.ts";

export interface ClearOptions extends JsonOptions {
  readonly tenant: string;
  readonly model: string;
  readonly tag: string;
  readonly all: boolean;
  readonly forgetRequests: boolean;
}

export interface WarmOptions extends JsonOptions {
  readonly file?: string;
  readonly mostFrequent?: number;
  readonly maxCost?: number;
  readonly concurrency: number;
  readonly tenant?: string;
  readonly scope?: string;
  readonly refresh: boolean;
}

const PRETTY = { ...JSON_OPTIONS, prettySpaces: 2 } as const;

export function cacheStats({ json, ...options }: JsonOptions): Promise<number> {
  return call(options, async (gateway, signal) => {
    const stats = await gateway.getCacheStats({ signal });
    process.stdout.write(
      json ? `${toJsonString(GetCacheStatsResponseSchema, stats, PRETTY)}\n` : told(stats),
    );
  });
}

export function clearCache({ json, url, key, ...which }: ClearOptions): Promise<number> {
  return call(key === undefined ? { url } : { url, key }, async (gateway, signal) => {
    const reply = await gateway.clearCache(which, { signal });
    const { cleared, forgottenRequests } = reply;
    const forgotten = which.forgetRequests ? `; ${forgottenRequests} requests forgotten` : "";
    process.stdout.write(
      json
        ? `${toJsonString(ClearCacheResponseSchema, reply, PRETTY)}\n`
        : `${cleared} answers cleared${forgotten}\n`,
    );
  });
}

/** A line for each request as it is done. */
export async function warmCache({ json, ...options }: WarmOptions): Promise<number> {
  const { file, mostFrequent = 0, maxCost, concurrency, tenant, scope, refresh } = options;
  if (file === undefined && mostFrequent === 0)
    throw new InputError("give the requests by --file, or --most-frequent, or both");
  const requests = file === undefined ? [] : await readRequests(file);
  let failed = 0;
  const status = await call(options, async (gateway, signal) => {
    const events = gateway.warmCache(
      {
        requests,
        mostFrequent,
        concurrency,
        refresh,
        ...(maxCost === undefined ? {} : { maxCostUsd: maxCost }),
        ...(tenant === undefined ? {} : { tenant }),
        ...(scope === undefined ? {} : { cacheScope: scope }),
      },
      { signal },
    );
    for await (const event of events) {
      failed = event.totals?.failed ?? failed;
      const line = json ? toJsonString(WarmCacheResponseSchema, event, JSON_OPTIONS) : lineOf(event);
      process.stdout.write(`${line}\n`);
    }
  });
  return status || (failed > 0 ? 1 : 0);
}

function told(stats: GetCacheStatsResponse): string {
  const { enabled, entries, maxEntries, bytes, maxBytes, semanticEntries, since } = stats;
  const shown = fields({
    cache: enabled ? "on" : "off",
    entries: `${entries} of ${maxEntries}`,
    size: `${megabytes(bytes)} of ${megabytes(maxBytes)}`,
    "by meaning": semanticEntries > 0 ? String(semanticEntries) : undefined,
    remembered: stats.rememberedRequests > 0 ? `${stats.rememberedRequests} requests` : undefined,
    oldest: ageOf(stats.oldestAgeMs),
    newest: ageOf(stats.newestAgeMs),
    hits: `${stats.hits} of ${stats.hits + stats.misses} (${percent(stats.hitRate)})`,
    skipped: String(stats.skipped),
    saved: dollars(stats.savedUsd),
    evicted: stats.evictions
      .filter(({ count }) => count > 0n)
      .map(({ reason, count }) => `${count} ${reason}`)
      .join(", "),
    since: when(since),
  });
  const kinds = stats.kinds.filter(({ hits }) => hits > 0n);
  const models = stats.models.map(({ model, hits, misses, hitRate, savedUsd, ...kept }) => [
    model,
    String(kept.entries),
    megabytes(kept.bytes),
    String(hits),
    String(misses),
    percent(hitRate),
    dollars(savedUsd),
  ]);
  const byKind = kinds.map(({ kind, hits, savedUsd }) => [kind, String(hits), dollars(savedUsd)]);
  return (
    shown +
    (byKind.length > 0 ? `\n${table(["KIND", "HITS", "SAVED"], byKind)}` : "") +
    (models.length > 0
      ? `\n${table(["MODEL", "ENTRIES", "SIZE", "HITS", "MISSES", "HIT RATE", "SAVED"], models)}`
      : "")
  );
}

function lineOf({ request, totals }: WarmCacheResponse): string {
  if (!totals) return "";
  const { kept, hits, notKept, skipped, failed } = totals;
  const done = kept + hits + notKept + skipped + failed;
  const spent = dollars(totals.costUsd);
  if (!request) {
    const others = [
      [notKept, "not kept"],
      [skipped, "skipped"],
      [failed, "failed"],
    ].flatMap(([count, what]) => (count ? [`, ${count} ${what}`] : []));
    return `${totals.requests} requests: ${kept} kept, ${hits} known${others.join("")}; ${spent} spent`;
  }
  const { index, outcome, provider, model, reason, failureKind, costUsd } = request;
  const why = reason || failureKind;
  const who = model ? ` ${provider}/${model}` : "";
  const cost = outcome === "hit" || outcome === "skipped" ? "" : ` ${dollars(costUsd)}`;
  return `[${done}/${totals.requests}] ${index} ${outcome}${who}${cost}${why ? `: ${why}` : ""} (${spent} in all)`;
}

async function readRequests(file: string): Promise<ChatRequest[]> {
  let content: string;
  try {
    content = file === "-" ? await text(process.stdin) : await readFile(file, "utf8");
  } catch (error) {
    throw new InputError(`${file}: ${messageOf(error)}`);
  }
  return content.split("\n").flatMap((line, index) => {
    if (line.trim() === "") return [];
    try {
      return [fromJsonString(ChatRequestSchema, line)];
    } catch (error) {
      throw new InputError(`${file}:${index + 1}: ${messageOf(error)}`);
    }
  });
}

function megabytes(bytes: bigint): string {
  return `${(Number(bytes) / 1_048_576).toFixed(2)} MiB`;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

function ageOf(ms: bigint | undefined): string | undefined {
  return ms === undefined ? undefined : `${Math.round(Number(ms) / 1_000)} s ago`;
}
