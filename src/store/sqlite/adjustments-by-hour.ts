/**
 * A step of the SQLite database: what was booked of the past by corrected prices, beside what was booked at the time.
 * Never changed, as all steps.
 */

export const ADJUSTMENTS = `
CREATE TABLE adjustment_bookings (
  number INTEGER NOT NULL PRIMARY KEY,
  booking_id TEXT NOT NULL UNIQUE,
  booked_at_ms INTEGER NOT NULL,
  booked_by TEXT NOT NULL,
  reason TEXT NOT NULL,
  -- By which catalog it was priced.
  price_version TEXT NOT NULL
) STRICT;
CREATE TABLE adjustments (
  booking INTEGER NOT NULL REFERENCES adjustment_bookings,
  -- Of the booking: a day at a model.
  line INTEGER NOT NULL,
  hour_ms INTEGER NOT NULL,
  tenant TEXT NOT NULL,
  principal TEXT NOT NULL,
  provider TEXT NOT NULL,
  model TEXT NOT NULL,
  operation TEXT NOT NULL,
  route TEXT NOT NULL,
  tags TEXT NOT NULL,
  -- By which catalog the attempts were booked.
  price_version_from TEXT NOT NULL,
  adjustment_pico_usd INTEGER NOT NULL
) STRICT;
CREATE INDEX adjustments_by_hour ON adjustments (hour_ms);
CREATE INDEX adjustments_by_booking ON adjustments (booking, line);
`;
