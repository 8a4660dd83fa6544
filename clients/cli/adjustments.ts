/** `llmgateway prices reprice --book` and `prices adjustments`: corrections of the past, booked and listed. */
import { create, toJson, toJsonString } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  type Adjustment,
  AdjustmentSchema,
  type BookAdjustmentsResponse,
  BookAdjustmentsResponseSchema,
  ListAdjustmentsResponseSchema,
} from "../../gen/ts/llmgateway/v1/adjustment_pb.ts";
import type { Gateway } from "../typescript/src/node.ts";
import { call, JSON_OPTIONS } from "./call.ts";
import { csv as csvOf } from "./csv.ts";
import { InputError } from "./input-error.ts";
import { type JsonOptions, when } from "./jobs.ts";
import { exact, type RepriceOptions, readCatalog } from "./reprice.ts";
import { table } from "./table.ts";

export interface AdjustmentsOptions extends JsonOptions {
  readonly since?: Date;
  readonly until?: Date;
  readonly provider?: string;
  readonly model?: string;
  readonly csv?: boolean;
}

export interface BookOptions extends RepriceOptions {
  readonly reason?: string;
}

const PRETTY = { ...JSON_OPTIONS, prettySpaces: 2 } as const;
const PAGE = 10_000;

/** What is in the books for ever is not left to what is usual: it says of which time, and why. */
export async function bookAdjustments(options: BookOptions): Promise<number> {
  const { since, until, reason = "", catalog, csv, json } = options;
  if (reason.trim() === "") throw new InputError("--book takes --reason: why the past is corrected");
  if (!since) throw new InputError("--book takes --since: from when on the past is corrected");
  const request = {
    since: timestampFromDate(since),
    ...(until && { until: timestampFromDate(until) }),
    catalog: catalog === undefined ? "" : await readCatalog(catalog),
    reason,
  };
  return call(options, async (gateway, signal) => {
    const reply = await gateway.bookAdjustments(request, { signal });
    if (json) process.stdout.write(`${toJsonString(BookAdjustmentsResponseSchema, reply, PRETTY)}\n`);
    else process.stdout.write(csv ? lines(reply.adjustments) : booked(reply));
  });
}

export function listAdjustments(options: AdjustmentsOptions): Promise<number> {
  const { since, until, provider = "", model = "", csv, json } = options;
  const request = {
    ...(since && { since: timestampFromDate(since) }),
    ...(until && { until: timestampFromDate(until) }),
    provider,
    model,
  };
  return call(options, async (gateway, signal) => {
    const adjustments = await all(gateway, request, signal);
    const whole = create(ListAdjustmentsResponseSchema, { adjustments });
    if (json) process.stdout.write(`${toJsonString(ListAdjustmentsResponseSchema, whole, PRETTY)}\n`);
    else process.stdout.write(csv ? lines(adjustments) : listed(adjustments));
  });
}

async function all(gateway: Gateway, request: object, signal: AbortSignal): Promise<Adjustment[]> {
  const adjustments: Adjustment[] = [];
  for (let pageToken = ""; ; ) {
    const page = await gateway.listAdjustments({ ...request, pageSize: PAGE, pageToken }, { signal });
    adjustments.push(...page.adjustments);
    pageToken = page.nextPageToken;
    if (pageToken === "") return adjustments;
  }
}

function booked(reply: BookAdjustmentsResponse): string {
  const { adjustments, adjustmentPicoUsd, standingPicoUsd, since, until, priceVersion } = reply;
  const title = `${when(since)} to ${when(until)}, by prices ${priceVersion}`;
  if (adjustments.length === 0)
    return `${title}: nothing to book, with ${exact(standingPicoUsd)} that is booked already\n${left(reply)}`;
  const rows = adjustments.map(({ day, provider, model, priceVersionFrom, ...one }) => [
    day,
    `${provider}/${model}`,
    exact(one.adjustmentPicoUsd),
    priceVersionFrom,
  ]);
  const total = [
    ["total", "", exact(adjustmentPicoUsd)],
    ["with those before", "", exact(standingPicoUsd)],
  ];
  const text = table(["DAY", "MODEL", "BOOKED NOW", "PRICED BEFORE BY"], [...rows, ...total]);
  return `${title}\n\n${text}${left(reply)}`;
}

function left({ deletedAttempts, unknownUsage, unknownModel }: BookAdjustmentsResponse): string {
  const told = [
    deletedAttempts > 0 && `hours with ${deletedAttempts} attempts whose rows are deleted by now`,
    unknownUsage > 0 && `${unknownUsage} attempts of unknown usage`,
    unknownModel > 0 && `${unknownModel} attempts without a price here`,
  ].filter(Boolean);
  return told.length === 0 ? "" : `\nLeft as they stand: ${told.join(", ")}.\n`;
}

function listed(adjustments: readonly Adjustment[]): string {
  const head = ["DAY", "MODEL", "ADJUSTMENT", "FROM", "TO", "BOOKED", "BY", "REASON"];
  const rows = adjustments.map((one) => [
    one.day,
    `${one.provider}/${one.model}`,
    exact(one.adjustmentPicoUsd),
    one.priceVersionFrom,
    one.priceVersion,
    when(one.bookedAt),
    one.bookedBy,
    one.reason,
  ]);
  const total = adjustments.reduce((sum, { adjustmentPicoUsd }) => sum + adjustmentPicoUsd, 0n);
  return table(head, [...rows, ["total", "", exact(total)]]);
}

function lines(adjustments: readonly Adjustment[]): string {
  const names = AdjustmentSchema.fields.map(({ name }) => name);
  const values = adjustments.map((one) => {
    const json = toJson(AdjustmentSchema, one, JSON_OPTIONS) as Record<string, unknown>;
    return names.map((name) => json[name] ?? "");
  });
  return csvOf([names, ...values]);
}
