/** What a request about spend asks for, as the store is asked. It knows no answers. */
import { type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";
import { invalidRequest } from "../core/failure.ts";
import type { Period, UsageFilter } from "../core/usage-store.ts";

interface Asked {
  readonly tenant: string;
  readonly key: string;
  readonly provider: string;
  readonly model: string;
  readonly route: string;
  readonly operation: string;
  readonly tags: readonly string[];
}

interface Times {
  readonly since?: Timestamp | undefined;
  readonly until?: Timestamp | undefined;
}

/** An empty field asks for nothing. */
export function filterOf({ tenant, key, provider, model, route, operation, tags }: Asked): UsageFilter {
  const columns = { tenant, principal: key, provider, model, route, operation };
  const asked = Object.entries(columns).filter(([, value]) => value !== "");
  if (tags.length === 0) return Object.fromEntries(asked);
  return { ...Object.fromEntries(asked), tags: tagsOf(tags) };
}

/**
 * @param usualMs how long it is when nobody says since when
 * @throws Failure `invalid_request` when it is over before it begins
 */
export function periodOf({ since, until }: Times, nowMs: number, usualMs: number): Period {
  const untilMs = until ? timestampMs(until) : nowMs;
  const sinceMs = since ? timestampMs(since) : untilMs - usualMs;
  if (sinceMs < untilMs) return { sinceMs: keptMs(sinceMs), untilMs: keptMs(untilMs) };
  throw invalidRequest([
    { field: "since", description: "must be before `until`, or before now without one" },
  ]);
}

/** The last whole hour that a time of Protobuf can tell. */
const LATEST_MS = Date.UTC(9999, 11, 31, 23);

/** The time, or the nearest at which something may have been kept. */
export function keptMs(timeMs: number): number {
  return Math.min(Math.max(0, timeMs), LATEST_MS);
}

/** @throws Failure `invalid_request` for one that is asked for twice */
function tagsOf(tags: readonly string[]): Record<string, string> {
  const pairs = tags.map((tag) => [tag.slice(0, tag.indexOf("=")), tag.slice(tag.indexOf("=") + 1)] as const);
  const names = new Set(pairs.map(([name]) => name));
  if (names.size === pairs.length) return Object.fromEntries(pairs);
  throw invalidRequest([{ field: "tags", description: "names a tag twice, and a request has it once" }]);
}
