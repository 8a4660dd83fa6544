/** Writes booked corrections to PostgreSQL, for any number of replicas: the first to take a number has booked. */
import { ADJUSTMENT_COLUMNS, BOOKING_COLUMNS, type BookingRows } from "../adjustments.ts";
import { textOf } from "../rows.ts";
import type { Postgres } from "./connection.ts";
import { CHUNK_ROWS, insert } from "./statements.ts";

/** Waits for who takes the number at the same moment. */
const TAKE = insert("adjustment_bookings", BOOKING_COLUMNS);
const TAKEN_BY = "SELECT booking_id FROM adjustment_bookings WHERE number = $1";
const INSERT_ROWS = insert("adjustments", ADJUSTMENT_COLUMNS);

export function bookingOn({ transaction }: Postgres): (booking: BookingRows) => Promise<boolean> {
  return ({ booking, rows }) =>
    transaction(async (client) => {
      const [number, id] = booking;
      if ((await client.query(TAKE, [textOf([booking])])).rowCount === 0) {
        // It may be ours, whose commit was lost on its way back.
        const { rows: taken } = await client.query(TAKEN_BY, [number]);
        return taken[0]?.booking_id === id;
      }
      for (let begin = 0; begin < rows.length; begin += CHUNK_ROWS)
        await client.query(INSERT_ROWS, [textOf(rows.slice(begin, begin + CHUNK_ROWS))]);
      return true;
    });
}
