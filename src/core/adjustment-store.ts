/**
 * What is asked of a durable store about corrections of what was spent, each booked beside it as rows of its own. It
 * knows neither prices nor databases.
 */
import type { Page, Paging } from "./job-store.ts";
import type { Payer } from "./ledger.ts";
import type { Period } from "./usage-store.ts";

/** Of which calls: an hour's, by all that sums of the ledger tell apart, and by the prices they were booked at. */
export interface AdjustedKey extends Payer {
  readonly hourMs: number;
  readonly provider: string;
  readonly model: string;
  readonly operation: string;
  readonly route: string;
  /** By which catalog the calls were booked. */
  readonly priceVersionFrom: string;
}

export interface AdjustedRow extends AdjustedKey {
  /** Below 0 where they cost less than was booked. */
  readonly picoUsd: bigint;
}

/** What is booked by one act. */
export interface Booking {
  /** A name that no other has. */
  readonly id: string;
  readonly bookedAtMs: number;
  /** The API key's name. */
  readonly bookedBy: string;
  readonly reason: string;
  /** By which catalog the calls are priced now. */
  readonly priceVersion: string;
}

/** What a booking says of a day at a model. */
export interface Adjustment extends Booking, Pick<AdjustedKey, "provider" | "model" | "priceVersionFrom"> {
  /** Of UTC, such as `2026-08-01`. */
  readonly day: string;
  readonly picoUsd: bigint;
}

export interface AdjustmentFilter extends Period {
  readonly provider?: string;
  readonly model?: string;
}

/** How many bookings there are, and what is booked of a period, each key once. */
export interface Standing {
  readonly bookings: number;
  readonly rows: readonly AdjustedRow[];
}

export interface AdjustmentStore {
  /** @throws Failure when there are more than `MAX_GROUPS` keys */
  standing(period: Period): Promise<Standing>;
  /**
   * All of it or nothing, and safe once it resolves. The same booking again changes nothing. Rows are what differs from
   * what stands, so that they count only as long as nobody else has booked.
   *
   * @param bookings how many there were when the rows were worked out
   * @returns false where there are more by now, and then nothing is booked
   */
  book(booking: Booking, rows: readonly AdjustedRow[], bookings: number): Promise<boolean>;
  /** The latest booking first, then by day, provider and model. By whole hours. */
  list(filter: AdjustmentFilter, paging: Paging): Promise<Page<Adjustment>>;
}
