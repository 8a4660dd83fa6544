/** What operators are told of past calls at other prices: read page by page beside the calls, and rewritten never. */
import { create, type DescMethod } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { AdminService } from "../../gen/ts/llmgateway/v1/admin_pb.ts";
import {
  type Move,
  type RepricedRow,
  RepricedRowSchema,
  type RepriceRequest,
  type RepriceResponse,
  RepriceResponseSchema,
} from "../../gen/ts/llmgateway/v1/reprice_pb.ts";
import type { Target } from "../core/call.ts";
import { invalidRequest } from "../core/failure.ts";
import { hoursOf } from "../core/hours.ts";
import { type PicoUsd, toUsd } from "../core/money.ts";
import type { BookedAttempt, Period, UsageStore } from "../core/usage-store.ts";
import type { Prices } from "../cost/audit/reprice.ts";
import { Audit, type RepricedSums } from "../cost/audit/sums.ts";
import type { Moves } from "../cost/audit/what-if.ts";
import { CatalogError } from "../cost/catalog-file.ts";
import type { Handler } from "./door.ts";
import type { UsageBackend } from "./usage-handlers.ts";
import { periodOf } from "./usage-request.ts";

export interface RepriceBackend extends Pick<UsageBackend, "usage" | "flush" | "clock"> {
  /**
   * @param catalog as JSON; the one in force when empty
   * @returns its prices, and its text
   * @throws CatalogError
   */
  prices(catalog: string): Prices & { readonly version: string; readonly json: string };
}

const MONTH_MS = 30 * 86_400_000;
/** To price so many holds up nobody for long; between pages, others have their turn. */
const PAGE = 500;

export function repriceHandler(backend: RepriceBackend): [DescMethod, Handler] {
  return [
    AdminService.method.reprice,
    async (message, { signal }) => {
      await backend.flush();
      return { message: await reprice(message as RepriceRequest, backend, signal) };
    },
  ];
}

async function reprice(
  request: RepriceRequest,
  backend: RepriceBackend,
  signal: AbortSignal,
): Promise<RepriceResponse> {
  const { usage, clock } = backend;
  const period = hoursOf(periodOf(request, clock.now(), MONTH_MS));
  const prices = pricesBy(request.catalog, backend);
  const audit = new Audit(prices, movesOf(request.moves, prices));
  const [sums] = await usage.usage({ ...period, groupBy: [], filter: {} });
  await readAll(usage, period, signal, (row) => audit.add(row));
  const adjustmentPicoUsd = sums?.adjustmentPicoUsd ?? 0n;
  return create(RepriceResponseSchema, {
    rows: audit.rows().map(rowOf),
    total: rowOf(audit.total()),
    since: timestampFromMs(period.sinceMs),
    until: timestampFromMs(period.untilMs),
    priceVersion: prices.version,
    // Some may have ended since they were summed.
    deletedAttempts: BigInt(Math.max(0, (sums?.attempts ?? 0) - audit.seen)),
    unmovedAttempts: BigInt(audit.unmoved),
    unmovedUsd: toUsd(audit.unmovedPicoUsd as PicoUsd),
    unmovedPicoUsd: audit.unmovedPicoUsd,
    adjustmentUsd: toUsd(adjustmentPicoUsd as PicoUsd),
    adjustmentPicoUsd,
  });
}

/** Attempts of a period, page by page. */
export async function readAll(
  usage: UsageStore,
  period: Period,
  signal: AbortSignal,
  add: (row: BookedAttempt) => void,
): Promise<void> {
  let after: string | undefined;
  do {
    signal.throwIfAborted();
    const { rows, next } = await usage.attempts(period, { size: PAGE, after });
    for (const row of rows) add(row);
    after = next;
  } while (after !== undefined);
}

/** @throws Failure `invalid_request` that lists every place of the catalog that is wrong */
export function pricesBy(
  catalog: string,
  { prices }: Pick<RepriceBackend, "prices">,
): ReturnType<typeof prices> {
  try {
    return prices(catalog);
  } catch (error) {
    if (!(error instanceof CatalogError)) throw error;
    throw invalidRequest(
      error.violations.map(({ field, description }) => ({
        field: "catalog",
        description: [field, description].filter(Boolean).join(": "),
      })),
    );
  }
}

/** @throws Failure `invalid_request` for one without a price, or for two moves of the same */
function movesOf(moves: readonly Move[], prices: Prices): Moves | undefined {
  if (moves.length === 0) return undefined;
  const found = new Map<string, Target>();
  for (const [index, { from, to }] of moves.entries()) {
    const slash = to.indexOf("/");
    const target = { provider: to.slice(0, slash), model: to.slice(slash + 1) };
    if (!prices.find(target, Number.POSITIVE_INFINITY))
      throw invalidRequest([
        {
          field: `moves[${index}].to`,
          description: `no price is known of ${to}; name a provider of the configuration and a model of the catalog`,
        },
      ]);
    if (found.has(from))
      throw invalidRequest([{ field: `moves[${index}].from`, description: `${from} is moved already` }]);
    found.set(from, target);
  }
  return found;
}

function rowOf({ to, bookedPicoUsd, repricedPicoUsd, leftPicoUsd, ...sums }: RepricedSums): RepricedRow {
  const differencePicoUsd = repricedPicoUsd - bookedPicoUsd;
  const usd = (amount: bigint) => toUsd(amount as PicoUsd);
  return create(RepricedRowSchema, {
    day: sums.day,
    provider: sums.provider,
    model: sums.model,
    toProvider: to?.provider ?? "",
    toModel: to?.model ?? "",
    attempts: BigInt(sums.attempts),
    repriced: BigInt(sums.repriced),
    bookedUsd: usd(bookedPicoUsd),
    bookedPicoUsd,
    repricedUsd: usd(repricedPicoUsd),
    repricedPicoUsd,
    differenceUsd: usd(differencePicoUsd),
    differencePicoUsd,
    unpricedBefore: BigInt(sums.unpricedBefore),
    assumed: BigInt(sums.assumed),
    unknownUsage: BigInt(sums.unknownUsage),
    unknownModel: BigInt(sums.unknownModel),
    leftUsd: usd(leftPicoUsd),
    leftPicoUsd,
    cachedAsFreshTokens: BigInt(sums.cachedAsFreshTokens),
    tooLong: BigInt(sums.tooLong),
  });
}
