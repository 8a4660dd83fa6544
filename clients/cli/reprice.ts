/** `llmgateway prices reprice` and `what-if`: what past calls cost by other prices, or at other models. */
import { readFile } from "node:fs/promises";
import { toJson, toJsonString } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  type RepricedRow,
  RepricedRowSchema,
  type RepriceResponse,
  RepriceResponseSchema,
} from "../../gen/ts/llmgateway/v1/reprice_pb.ts";
import { call, JSON_OPTIONS } from "./call.ts";
import { csv as csvOf } from "./csv.ts";
import { InputError } from "./input-error.ts";
import { type JsonOptions, when } from "./jobs.ts";
import type { Move } from "./moves.ts";
import { table } from "./table.ts";

export interface RepriceOptions extends JsonOptions {
  readonly since?: Date;
  readonly until?: Date;
  readonly csv?: boolean;
  /** A file; the gateway's own when absent. */
  readonly catalog?: string;
  readonly map?: readonly Move[];
}

const PRETTY = { ...JSON_OPTIONS, prettySpaces: 2 } as const;

export async function reprice({ since, until, csv, json, catalog, map = [], ...options }: RepriceOptions) {
  const request = {
    ...(since && { since: timestampFromDate(since) }),
    ...(until && { until: timestampFromDate(until) }),
    catalog: catalog === undefined ? "" : await readCatalog(catalog),
    moves: [...map],
  };
  return call(options, async (gateway, signal) => {
    const reply = await gateway.reprice(request, { signal });
    if (json) process.stdout.write(`${toJsonString(RepriceResponseSchema, reply, PRETTY)}\n`);
    else process.stdout.write(csv ? lines(reply) : described(reply, map.length > 0));
  });
}

export async function readCatalog(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw new InputError(`--catalog cannot be read: ${(error as Error).message}`);
  }
}

function lines({ rows }: RepriceResponse): string {
  const names = RepricedRowSchema.fields.map(({ name }) => name);
  const values = rows.map((row) => {
    const json = toJson(RepricedRowSchema, row, JSON_OPTIONS) as Record<string, unknown>;
    return names.map((name) => json[name] ?? "");
  });
  return csvOf([names, ...values]);
}

function described(reply: RepriceResponse, isMoved: boolean): string {
  const head = [
    "DAY",
    "MODEL",
    ...(isMoved ? ["INSTEAD"] : []),
    "ATTEMPTS",
    "BOOKED",
    "HERE",
    "DIFFERENCE",
    "OF WHICH",
  ];
  const rows = reply.rows.map((row) => [
    row.day,
    `${row.provider}/${row.model}`,
    ...(isMoved ? [`${row.toProvider}/${row.toModel}`] : []),
    ...cells(row),
  ]);
  const total = reply.total ? [["total", "", ...(isMoved ? [""] : []), ...cells(reply.total)]] : [];
  const title = `${when(reply.since)} to ${when(reply.until)}, by prices ${reply.priceVersion}\n\n`;
  return `${title}${table(head, [...rows, ...total])}${notes(reply, isMoved)}`;
}

function cells(row: RepricedRow): string[] {
  const { attempts, bookedPicoUsd, repricedPicoUsd, differencePicoUsd } = row;
  return [String(attempts), ...[bookedPicoUsd, repricedPicoUsd, differencePicoUsd].map(exact), doubts(row)];
}

function doubts({ unknownUsage, unknownModel, unpricedBefore, assumed, tooLong }: RepricedRow): string {
  const parts = [
    unknownUsage > 0 && `${unknownUsage} of unknown usage`,
    unknownModel > 0 && `${unknownModel} without a price here`,
    unpricedBefore > 0 && `${unpricedBefore} without a price before`,
    assumed > 0 && `${assumed} at an assumed price`,
    tooLong > 0 && `${tooLong} too long`,
  ];
  return parts.filter(Boolean).join(", ");
}

function notes(
  { total, deletedAttempts, unmovedAttempts, unmovedPicoUsd, adjustmentPicoUsd }: RepriceResponse,
  isMoved: boolean,
) {
  const { leftPicoUsd = 0n, cachedAsFreshTokens = 0n, tooLong = 0n } = total ?? {};
  const told = [
    deletedAttempts > 0 &&
      `${deletedAttempts} attempts of this time are not in it: their rows are deleted by now.`,
    leftPicoUsd > 0 &&
      `What cannot be priced here was booked with ${exact(leftPicoUsd)}, which is in no sum above.`,
    adjustmentPicoUsd !== 0n &&
      `Adjustments of ${exact(adjustmentPicoUsd)} are booked of this time, which are in no sum above.`,
  ];
  const caveats = isMoved
    ? [
        "An estimate by recorded tokens:",
        "- another tokenizer counts the same text otherwise;",
        "- another model writes answers of another length;",
        `- prompt caches do not carry over: ${cachedAsFreshTokens} cached tokens are priced as fresh;`,
        `- what models can do is not looked at; ${tooLong} attempts exceed what the other reads or writes.`,
        unmovedAttempts > 0 &&
          `${unmovedAttempts} other attempts, booked with ${exact(unmovedPicoUsd)}, are left out.`,
      ]
    : [];
  const text = [...told, ...caveats].filter(Boolean).join("\n");
  return text && `\n${text}\n`;
}

const PICO_PER_USD = 10n ** 12n;

/** To the last digit, since a difference may be far below a cent. */
export function exact(pico: bigint): string {
  const amount = pico < 0n ? -pico : pico;
  const fraction = String(amount % PICO_PER_USD)
    .padStart(12, "0")
    .replace(/0{0,10}$/, "");
  return `${pico < 0n ? "-" : ""}$${amount / PICO_PER_USD}.${fraction}`;
}
