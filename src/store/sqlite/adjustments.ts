/** Writes booked corrections to SQLite. It blocks while the disk works, and knows nothing of threads. */
import { ADJUSTMENT_COLUMNS, BOOKING_COLUMNS, type BookingRows } from "../adjustments.ts";
import { type Database, insert } from "./database.ts";

export class SqliteAdjustments {
  private readonly db: Database;
  private readonly statements: ReturnType<typeof prepare>;

  constructor(db: Database) {
    this.db = db;
    this.statements = prepare(db);
  }

  book({ booking, rows }: BookingRows): boolean {
    const { taken, insertBooking, insertRow } = this.statements;
    const [number = 0, id = ""] = booking;
    return this.db.write(true, () => {
      const known = taken.get(number);
      if (known) return known.booking_id === id;
      insertBooking.run(...booking);
      for (const row of rows) insertRow.run(...row);
      return true;
    });
  }
}

function prepare(db: Database) {
  return {
    taken: db.prepare("SELECT booking_id FROM adjustment_bookings WHERE number = ?"),
    insertBooking: db.prepare(insert("adjustment_bookings", Object.keys(BOOKING_COLUMNS))),
    insertRow: db.prepare(insert("adjustments", Object.keys(ADJUSTMENT_COLUMNS))),
  };
}
