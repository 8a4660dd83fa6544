/** `llmgateway reconcile`: the ledger beside what the provider itself says, and why they are likely to differ. */
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { UsageRow } from "../../gen/ts/llmgateway/v1/usage_pb.ts";
import type { Gateway } from "../typescript/src/node.ts";
import { call } from "./call.ts";
import { InputError } from "./input-error.ts";
import type { JsonOptions } from "./jobs.ts";
import { readAnthropic } from "./reconcile/anthropic.ts";
import { readBedrock } from "./reconcile/bedrock.ts";
import { cellsOf, type LedgerRow } from "./reconcile/compare.ts";
import type { ExportRow } from "./reconcile/export.ts";
import { readGoogle } from "./reconcile/google.ts";
import { explain } from "./reconcile/kinds.ts";
import { readMistral } from "./reconcile/mistral.ts";
import { readOpenAi } from "./reconcile/openai.ts";
import { asJson, asTable } from "./reconcile/told.ts";

/** Whose export it is, and what the gateway calls that provider when nothing else is said. */
const READERS = {
  openai: { read: readOpenAi, name: "openai" },
  anthropic: { read: readAnthropic, name: "claude" },
  gemini: { read: readGoogle("gemini"), name: "gemini" },
  vertex_ai: { read: readGoogle("vertex_ai"), name: "vertex_ai" },
  mistral: { read: readMistral, name: "mistral" },
  bedrock: { read: readBedrock, name: "bedrock" },
} as const;

export interface ReconcileOptions extends JsonOptions {
  readonly provider: keyof typeof READERS;
  readonly file: readonly string[];
  readonly as?: string;
  readonly since?: Date;
  readonly until?: Date;
  readonly tolerance: number;
  /** What the export calls a model, and what the ledger does. */
  readonly same: Readonly<Record<string, string>>;
}

const DAY_MS = 86_400_000;
const MONTH_MS = 30 * DAY_MS;
const PAGE = 10_000;

/** The exit status is 1 when something differs. */
export async function reconcile(options: ReconcileOptions): Promise<number> {
  const { provider, file, tolerance, json } = options;
  const { read, name } = READERS[provider];
  const days = daysOf(options);
  const exported = (await Promise.all(file.map((path) => readExport(path, read)))).flat();
  let differences = 0;
  const status = await call(options, async (gateway, signal) => {
    const ledger = await booked(gateway, options.as ?? name, days, signal);
    const cells = cellsOf(ledger, exported, {
      days,
      tolerance,
      aliases: new Map(Object.entries(options.same)),
    });
    if (cells.length === 0) checkDays(exported, days);
    const found = explain(cells);
    differences = found.length;
    process.stdout.write((json ? asJson : asTable)({ provider, days, tolerance, cells, differences: found }));
  });
  return status || (differences > 0 ? 1 : 0);
}

/** Whole days of UTC, which are over unless others are asked for. */
function daysOf({
  since,
  until = new Date(Math.floor(Date.now() / DAY_MS) * DAY_MS),
}: ReconcileOptions): string[] {
  const begin = Math.floor((since?.getTime() ?? until.getTime() - MONTH_MS) / DAY_MS) * DAY_MS;
  const count = Math.ceil((until.getTime() - begin) / DAY_MS);
  if (count < 1)
    throw new InputError("--since must be before --until, which is the begin of today unless it is said");
  return Array.from({ length: count }, (_, index) => dayAt(begin + index * DAY_MS));
}

/** Two sides that both have nothing agree, unless what was exported is something else. */
function checkDays(exported: readonly ExportRow[], days: readonly string[]): void {
  const given = exported.map(({ day }) => day).sort();
  if (given.length === 0 || given.some((day) => days.includes(day))) return;
  throw new InputError(
    `nothing to compare: the export is of ${given[0]} to ${given.at(-1)}, and ${days[0]} to ${days.at(-1)} was asked for`,
  );
}

function dayAt(ms: number): string {
  return new Date(ms).toISOString().slice(0, "2026-08-01".length);
}

async function readExport(
  path: string,
  read: (text: string, name: string) => ExportRow[],
): Promise<ExportRow[]> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    throw new InputError(`--file cannot be read: ${(error as Error).message}`);
  }
  return read(text, basename(path));
}

async function booked(
  gateway: Gateway,
  provider: string,
  days: readonly string[],
  signal: AbortSignal,
): Promise<LedgerRow[]> {
  const [first = "", last = first] = [days[0], days.at(-1)];
  const request = {
    since: timestampFromDate(new Date(`${first}T00:00:00Z`)),
    until: timestampFromDate(new Date(Date.parse(`${last}T00:00:00Z`) + DAY_MS)),
    groupBy: ["day", "model"],
    provider,
    pageSize: PAGE,
  };
  const rows: LedgerRow[] = [];
  for (let pageToken = ""; ; ) {
    const page = await gateway.getUsage({ ...request, pageToken }, { signal });
    rows.push(...page.rows.map(ledgerRow));
    pageToken = page.nextPageToken;
    if (pageToken === "") return rows;
  }
}

/**
 * A provider counts calls to it, and so its requests are attempts here. Its bill is by its own prices: what was booked by
 * wrong ones is compared as it was adjusted.
 */
function ledgerRow({ group, attempts, ...row }: UsageRow): LedgerRow {
  const { inputTokens, cachedInputTokens, cacheWriteTokens, outputTokens } = row;
  const { ok, estimated, unpriced, unknown, adjustmentPicoUsd } = row;
  return {
    day: group.day ?? "",
    model: group.model ?? "",
    requests: attempts,
    ...{ inputTokens, cachedInputTokens, cacheWriteTokens, outputTokens },
    costPicoUsd: row.adjustedPicoUsd,
    ...{ ok, estimated, unpriced, unknown, adjustmentPicoUsd },
  };
}
