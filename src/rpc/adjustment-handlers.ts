/** What operators book of the past by corrected prices, beside what was booked, and what they are told of it later. */
import { create, type DescMethod, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import {
  type AdjustmentSchema,
  type BookAdjustmentsRequest,
  type BookAdjustmentsResponse,
  BookAdjustmentsResponseSchema,
  type ListAdjustmentsRequest,
  type ListAdjustmentsResponse,
  ListAdjustmentsResponseSchema,
} from "../../gen/ts/llmgateway/v1/adjustment_pb.ts";
import { AdminService } from "../../gen/ts/llmgateway/v1/admin_pb.ts";
import { adjustedDays } from "../core/adjusted-days.ts";
import type { AdjustedRow, Adjustment, AdjustmentStore, Booking } from "../core/adjustment-store.ts";
import type { RequestContext } from "../core/call.ts";
import { invalidRequest } from "../core/failure.ts";
import { hourOf, hoursOf } from "../core/hours.ts";
import { type PicoUsd, toUsd } from "../core/money.ts";
import { MAX_GROUPS, type Period, type UsageStore } from "../core/usage-store.ts";
import { Correction } from "../cost/audit/correction.ts";
import type { Handler } from "./door.ts";
import { pricesBy, type RepriceBackend, readAll } from "./reprice-handler.ts";
import { keptMs, periodOf } from "./usage-request.ts";

export interface AdjustmentBackend extends RepriceBackend {
  readonly adjustments: AdjustmentStore;
  /**
   * Keeps a catalog by its version, for ever.
   *
   * @returns false when other prices were kept under it before
   */
  keepCatalog(version: string, json: string): Promise<boolean>;
}

const LISTED = 100;
/** What a row can hold of either sign: $9,223,372. */
const MOST = 2n ** 63n - 1n;

export function adjustmentHandlers(backend: AdjustmentBackend): [DescMethod, Handler][] {
  const { bookAdjustments, listAdjustments } = AdminService.method;
  return [
    [
      bookAdjustments,
      async (message, context) => {
        await backend.flush();
        return { message: await book(message as BookAdjustmentsRequest, backend, context) };
      },
    ],
    [
      listAdjustments,
      async (message) => ({ message: await list(message as ListAdjustmentsRequest, backend) }),
    ],
  ];
}

async function book(
  request: BookAdjustmentsRequest,
  backend: AdjustmentBackend,
  { callId, principal, signal }: RequestContext,
): Promise<BookAdjustmentsResponse> {
  const { adjustments, clock, usage, keepCatalog } = backend;
  const period = closedHours(request, clock.now());
  const prices = pricesBy(request.catalog, backend);
  // Whoever books in between has changed what is left to book: it is worked out again then, until nobody has.
  for (;;) {
    const { bookings, rows: standing } = await adjustments.standing(period);
    const { correction, deleted, isWhole } = await corrected(usage, period, prices, signal);
    const rows = correction.rest(standing, isWhole);
    const booking: Booking = {
      id: callId,
      bookedAtMs: clock.now(),
      bookedBy: principal,
      reason: request.reason,
      priceVersion: prices.version,
    };
    if (rows.length > 0) {
      holdable(rows);
      if (!(await keepCatalog(prices.version, prices.json))) throw otherPrices(prices.version);
      if (!(await adjustments.book(booking, rows, bookings))) continue;
    }
    return create(BookAdjustmentsResponseSchema, {
      adjustments: adjustedDays(rows).map((day) => messageOf({ ...booking, ...day })),
      ...amounts("adjustment", sumOf(rows)),
      ...amounts("standing", sumOf(standing) + sumOf(rows)),
      since: timestampFromMs(period.sinceMs),
      until: timestampFromMs(period.untilMs),
      priceVersion: prices.version,
      deletedAttempts: BigInt(deleted),
      unknownUsage: BigInt(correction.unknownUsage),
      unknownModel: BigInt(correction.unknownModel),
    });
  }
}

async function list(
  { since, until, provider, model, pageSize, pageToken }: ListAdjustmentsRequest,
  { adjustments }: AdjustmentBackend,
): Promise<ListAdjustmentsResponse> {
  const period = {
    sinceMs: since ? keptMs(timestampMs(since)) : 0,
    untilMs: keptMs(until ? timestampMs(until) : Number.POSITIVE_INFINITY),
  };
  const filter = { ...period, ...(provider && { provider }), ...(model && { model }) };
  const { rows, next } = await adjustments.list(filter, {
    size: pageSize || LISTED,
    after: pageToken || undefined,
  });
  return create(ListAdjustmentsResponseSchema, {
    adjustments: rows.map(messageOf),
    nextPageToken: next ?? "",
  });
}

/** @throws Failure `invalid_request` when an hour of it goes on: what it comes to is not known yet */
function closedHours({ since, until }: BookAdjustmentsRequest, nowMs: number): Period {
  const openMs = hourOf(nowMs);
  const refused = (field: string, must: string) => {
    const goesOn = `${new Date(openMs).toISOString()}, where the hour begins that goes on`;
    const description = `${must} ${goesOn}: only hours that are over can be adjusted`;
    return invalidRequest([{ field, description }]);
  };
  if (since && timestampMs(since) >= openMs) throw refused("since", "must be before");
  const period = hoursOf(periodOf({ since, until: until ?? timestampFromMs(openMs) }, nowMs, 0));
  if (period.untilMs > openMs) throw refused("until", "must not be after");
  return period;
}

async function corrected(
  usage: UsageStore,
  period: Period,
  prices: ReturnType<typeof pricesBy>,
  signal: AbortSignal,
) {
  // Counted before they are read: rows that are deleted in between are missed then.
  const hours = await usage.usage({ ...period, groupBy: ["hour"], filter: {} });
  const correction = new Correction(prices);
  await readAll(usage, period, signal, (row) => {
    correction.add(row);
    if (correction.size > MAX_GROUPS) throw tooMany();
  });
  const missing = new Map(
    hours.map(({ group: [hour = ""], attempts }) => {
      const hourMs = Date.parse(hour);
      return [hourMs, Math.max(0, attempts - correction.seenOf(hourMs))];
    }),
  );
  return {
    correction,
    deleted: [...missing.values()].reduce((sum, count) => sum + count, 0),
    isWhole: (hourMs: number) => !missing.get(hourMs),
  };
}

function messageOf(adjustment: Adjustment): MessageInitShape<typeof AdjustmentSchema> {
  const { id, bookedAtMs, bookedBy, reason, priceVersion, picoUsd, ...told } = adjustment;
  const { day, provider, model, priceVersionFrom } = told;
  return {
    ...{ day, provider, model, priceVersionFrom, priceVersion, bookedBy, reason },
    ...amounts("adjustment", picoUsd),
    bookedAt: timestampFromMs(bookedAtMs),
    bookingId: id,
  };
}

function sumOf(rows: readonly AdjustedRow[]): bigint {
  return rows.reduce((sum, { picoUsd }) => sum + picoUsd, 0n);
}

function amounts<Name extends string>(name: Name, picoUsd: bigint) {
  return { [`${name}Usd`]: toUsd(picoUsd as PicoUsd), [`${name}PicoUsd`]: picoUsd };
}

function holdable(rows: readonly AdjustedRow[]): void {
  if (rows.every(({ picoUsd }) => picoUsd <= MOST && picoUsd >= -MOST)) return;
  const description = "makes an hour differ by more than $9,223,372, which no row can hold";
  throw invalidRequest([{ field: "catalog", description }]);
}

function otherPrices(version: string) {
  const description = `other prices were kept under version ${version} before; give the catalog a version of its own`;
  return invalidRequest([{ field: "catalog", description }]);
}

function tooMany() {
  const description = `begins a time with more than ${MAX_GROUPS} sums to adjust; book a shorter one`;
  return invalidRequest([{ field: "since", description }]);
}
