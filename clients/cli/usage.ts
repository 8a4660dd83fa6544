/** `llmgateway usage`: what was spent, as a table for people, as JSON, or as CSV. */
import { create, toJson, toJsonString } from "@bufbuild/protobuf";
import {
  type GetUsageResponse,
  GetUsageResponseSchema,
  type UsageRow,
  UsageRowSchema,
} from "../../gen/ts/llmgateway/v1/usage_pb.ts";
import type { Gateway } from "../typescript/src/node.ts";
import { call, JSON_OPTIONS } from "./call.ts";
import { csv } from "./csv.ts";
import { type JsonOptions, when } from "./jobs.ts";
import { type FilterOptions, filterOf } from "./spend-filter.ts";
import { table } from "./table.ts";

export interface UsageOptions extends JsonOptions, FilterOptions {
  readonly by: readonly string[];
  readonly orderBy?: string;
  readonly csv?: boolean;
}

const PRETTY = { ...JSON_OPTIONS, prettySpaces: 2 } as const;
const PAGE = 10_000;
/** Only where something was adjusted. */
const ADJUSTED = ["ADJUSTMENT", "TOGETHER"];
const GAP =
  "Costs are not tracked now (prices.tracking_enabled is off): what is called meanwhile is not in here.";
const HEAD = ["REQUESTS", "ERRORS", "CACHED", "SAVED", "INPUT", "OUTPUT", "P50", "P95", "P99", "OF WHICH"];

export function printUsage({ by, orderBy = "", csv, json, since, until, where, ...options }: UsageOptions) {
  const request = { ...filterOf({ since, until, where } as FilterOptions), groupBy: [...by], orderBy };
  return call(options, async (gateway, signal) => {
    const usage = await all(gateway, request, signal);
    process.stdout.write(
      json
        ? `${toJsonString(GetUsageResponseSchema, usage, PRETTY)}\n`
        : csv
          ? csvOf(usage, by)
          : tableOf(usage, by),
    );
  });
}

async function all(gateway: Gateway, request: object, signal: AbortSignal): Promise<GetUsageResponse> {
  let pageToken = "";
  const rows: UsageRow[] = [];
  for (;;) {
    const page = await gateway.getUsage({ ...request, pageSize: PAGE, pageToken }, { signal });
    rows.push(...page.rows);
    pageToken = page.nextPageToken;
    if (pageToken === "") return create(GetUsageResponseSchema, { ...page, rows });
  }
}

function tableOf(usage: GetUsageResponse, by: readonly string[]): string {
  const { rows, total, since, until, anomalies, trackingOff } = usage;
  const title = `${when(since)} to ${when(until)}\n\n`;
  const isAdjusted = [total, ...rows].some((row) => row && row.adjustmentPicoUsd !== 0n);
  const head = [...by.map((name) => name.toUpperCase()), "COST", ...(isAdjusted ? ADJUSTED : []), ...HEAD];
  const cells = (row: UsageRow) => cellsOf(row, isAdjusted);
  const told =
    by.length === 0 ? [] : rows.map((row) => [...by.map((name) => row.group[name] || "-"), ...cells(row)]);
  const sum = total ? [[...by.map((_, index) => (index === 0 ? "total" : "")), ...cells(total)]] : [];
  const { length } = anomalies;
  const hint = length > 0 ? `\n${length} out of the usual: llmgateway usage anomalies\n` : "";
  const note = isAdjusted
    ? "\nCOST is what was booked at the time; ADJUSTMENT is not in it, TOGETHER has both.\n"
    : "";
  const gap = trackingOff ? `\n${GAP}\n` : "";
  return title + table(head, [...told, ...sum]) + note + hint + gap;
}

function cellsOf(row: UsageRow, isAdjusted: boolean): string[] {
  const { requests, errors, cachedRequests, inputTokens, outputTokens } = row;
  return [
    money(row.costUsd),
    ...(isAdjusted ? [row.adjustmentUsd, row.adjustedUsd].map(money) : []),
    ...[requests, errors, cachedRequests].map(String),
    money(row.savedUsd),
    ...[inputTokens, outputTokens].map(String),
    ...[row.latencyP50Ms, row.latencyP95Ms, row.latencyP99Ms].map(time),
    doubts(row),
  ];
}

/** To the cent, or where it is less than a dollar to three digits; `--json` and `--csv` have it exactly. */
export function money(usd: number): string {
  if (usd === 0) return "$0";
  if (usd < 0) return `-${money(-usd)}`;
  return `$${usd >= 1 ? usd.toFixed(2) : usd.toFixed(12).replace(/(\.0*\d{3}).*/, "$1")}`;
}

function time(ms: number | undefined): string {
  if (ms === undefined) return "-";
  return ms < 1_000 ? `${ms.toFixed(0)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}

/** What of the cost is not what a provider said. */
function doubts({ estimatedShare, unknownShare, unknownUsd, unpricedShare }: UsageRow): string {
  const parts = [
    estimatedShare > 0 && `${percent(estimatedShare)} estimated`,
    unpricedShare > 0 && `${percent(unpricedShare)} unpriced`,
    unknownShare > 0 && `${percent(unknownShare)} unknown, ${money(unknownUsd)} at most`,
  ];
  return parts.filter(Boolean).join(", ");
}

function percent(share: number): string {
  return `${(share * 100).toPrecision(2)} %`;
}

/** A line for each row: what it is of, then everything by the names that it has in JSON. */
function csvOf({ rows }: GetUsageResponse, by: readonly string[]): string {
  const names = UsageRowSchema.fields.filter(({ name }) => name !== "group").map(({ name }) => name);
  const lines = rows.map((row) => {
    const json = toJson(UsageRowSchema, row, JSON_OPTIONS) as Record<string, unknown>;
    return [...by.map((name) => row.group[name] ?? ""), ...names.map((name) => json[name] ?? "")];
  });
  return csv([[...by, ...names], ...lines]);
}
