/**
 * Booked corrections on either engine: as rows to write, and read again by what they are about. How they get to a
 * database, all of them or none, it does not know.
 */
import { adjustedDays, dayOf } from "../core/adjusted-days.ts";
import type {
  AdjustedRow,
  Adjustment,
  AdjustmentFilter,
  AdjustmentStore,
  Booking,
} from "../core/adjustment-store.ts";
import { invalidRequest } from "../core/failure.ts";
import { hoursOf } from "../core/hours.ts";
import { MAX_GROUPS, type Period } from "../core/usage-store.ts";
import { beginOf, SUM_KEYS } from "./hours.ts";
import type { StoredRow } from "./job-rows.ts";
import { cut, pageOf, positionOf } from "./page.ts";
import { type Columns, storable, tagsText } from "./rows.ts";
import type { Reader } from "./usage.ts";
import { amountOf, conditionsOf, Values } from "./usage-query.ts";

type Row = readonly (string | number)[];

export interface BookingRows {
  readonly booking: Row;
  readonly rows: readonly Row[];
}

/** Numbered one after the other: whoever takes a number first has booked. */
export const BOOKING_COLUMNS = {
  number: "bigint",
  booking_id: "text",
  booked_at_ms: "bigint",
  booked_by: "text",
  reason: "text",
  price_version: "text",
} as const satisfies Columns;

/** A `line` is what a booking says of a day at a model, and its rows are that day's hours, by payer. */
export const ADJUSTMENT_COLUMNS = {
  booking: "bigint",
  line: "integer",
  hour_ms: "bigint",
  tenant: "text",
  principal: "text",
  provider: "text",
  model: "text",
  operation: "text",
  route: "text",
  tags: "json",
  price_version_from: "text",
  adjustment_pico_usd: "bigint",
} as const satisfies Columns;

/** @param write all of it or nothing; false where another booking has that number */
export function adjustmentsOn(
  { dialect, rows }: Reader,
  write: (booking: BookingRows) => Promise<boolean>,
): AdjustmentStore {
  return {
    async standing(period) {
      // Before the rows: whatever is booked in between has another number.
      const [last] = await rows({
        text: "SELECT coalesce(max(number), 0) AS bookings FROM adjustment_bookings",
        values: [],
      });
      const keys = ["hour_ms", ...SUM_KEYS, "price_version_from", "tags"];
      const values = new Values();
      const text = `
        SELECT ${keys.slice(0, -1).join()}, CAST(tags AS text) AS tags_text,
          ${dialect.total("adjustment_pico_usd")} AS total
        FROM adjustments WHERE ${within(period, values)} GROUP BY ${keys.join()} LIMIT ${MAX_GROUPS + 1}`;
      const found = await rows({ text, values: values.list });
      if (found.length > MAX_GROUPS) throw tooMuch();
      return { bookings: Number(last?.bookings), rows: found.map(rowOf) };
    },
    book: (booking, adjusted, bookings) => write(bookingRows(booking, adjusted, bookings + 1)),
    async list(filter, { size, after }) {
      const position = positionOf("adjustments", after);
      const found = await rows(listQuery(filter, position?.[0], size + 1, dialect));
      const page = cut(found, size, ({ booking, line }) => [Number(booking) * LINES + Number(line), ""]);
      return pageOf("adjustments", { ...page, rows: page.rows.map(adjustmentOf) });
    },
  };
}

/** A booking and one of its lines as one number: it has at most as many as there may be groups. */
const LINES = 2 ** 20;

function listQuery(
  { sinceMs, untilMs, ...filter }: AdjustmentFilter,
  place: number | undefined,
  limit: number,
  dialect: Reader["dialect"],
) {
  const values = new Values();
  const conditions = [within({ sinceMs, untilMs }, values), ...conditionsOf(filter, values, dialect)];
  if (place !== undefined) {
    const [booking, line] = [values.add(Math.floor(place / LINES)), values.add(place % LINES)];
    conditions.push(`(booking < ${booking} OR booking = ${booking} AND line > ${line})`);
  }
  const names = ["booking", "line", "provider", "model", "price_version_from"];
  const told = Object.keys(BOOKING_COLUMNS).slice(1);
  // All that is told of a line is the same in all of its rows.
  const text = `
    SELECT ${[...names, ...told].join()}, min(${beginOf("day", "hour_ms")}) AS day_ms,
      ${dialect.total("adjustment_pico_usd")} AS total
    FROM adjustments JOIN adjustment_bookings ON number = booking
    WHERE ${conditions.join(" AND ")}
    GROUP BY ${[...names, ...told].join()} ORDER BY booking DESC, line LIMIT ${values.add(limit)}`;
  return { text, values: values.list };
}

function within(period: Period, values: Values): string {
  const { sinceMs, untilMs } = hoursOf(period);
  return `hour_ms >= ${values.add(sinceMs)} AND hour_ms < ${values.add(untilMs)}`;
}

function bookingRows(booking: Booking, adjusted: readonly AdjustedRow[], number: number): BookingRows {
  const { id, bookedAtMs, bookedBy, reason, priceVersion } = booking;
  return {
    booking: [number, id, bookedAtMs, storable(bookedBy), storable(reason), storable(priceVersion)],
    rows: adjustedDays(adjusted).flatMap(({ rows }, line) => rows.map((row) => valuesOf(row, number, line))),
  };
}

function valuesOf(row: AdjustedRow, number: number, line: number): Row {
  return [
    number,
    line,
    row.hourMs,
    row.tenant,
    row.principal,
    row.provider,
    row.model,
    row.operation,
    row.route,
    tagsText(row.tags),
    row.priceVersionFrom,
    Number.isSafeInteger(Number(row.picoUsd)) ? Number(row.picoUsd) : String(row.picoUsd),
  ];
}

function rowOf(row: StoredRow): AdjustedRow {
  return {
    hourMs: Number(row.hour_ms),
    tenant: String(row.tenant),
    principal: String(row.principal),
    provider: String(row.provider),
    model: String(row.model),
    operation: String(row.operation),
    route: String(row.route),
    tags: JSON.parse(String(row.tags_text)),
    priceVersionFrom: String(row.price_version_from),
    picoUsd: amountOf(row.total),
  };
}

function adjustmentOf(row: StoredRow): Adjustment {
  return {
    id: String(row.booking_id),
    bookedAtMs: Number(row.booked_at_ms),
    bookedBy: String(row.booked_by),
    reason: String(row.reason),
    priceVersion: String(row.price_version),
    day: dayOf(Number(row.day_ms)),
    provider: String(row.provider),
    model: String(row.model),
    priceVersionFrom: String(row.price_version_from),
    picoUsd: amountOf(row.total),
  };
}

function tooMuch() {
  const description = `begins a time with more than ${MAX_GROUPS} sums that are adjusted; ask for a shorter one`;
  return invalidRequest([{ field: "since", description }]);
}
