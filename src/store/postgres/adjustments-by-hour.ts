/**
 * A step of the PostgreSQL database: what was booked of the past by corrected prices, beside what was booked at the time.
 * Never changed, as all steps.
 */

export const ADJUSTMENTS = `
CREATE TABLE adjustment_bookings (
  number bigint NOT NULL PRIMARY KEY,
  booking_id text NOT NULL UNIQUE,
  booked_at_ms bigint NOT NULL,
  booked_by text NOT NULL,
  reason text NOT NULL,
  -- By which catalog it was priced.
  price_version text NOT NULL
);
CREATE TABLE adjustments (
  booking bigint NOT NULL REFERENCES adjustment_bookings,
  -- Of the booking: a day at a model.
  line integer NOT NULL,
  hour_ms bigint NOT NULL,
  tenant text NOT NULL,
  principal text NOT NULL,
  provider text NOT NULL,
  model text NOT NULL,
  operation text NOT NULL,
  route text NOT NULL,
  tags jsonb NOT NULL,
  -- By which catalog the attempts were booked.
  price_version_from text NOT NULL,
  adjustment_pico_usd bigint NOT NULL
);
CREATE INDEX adjustments_by_hour ON adjustments (hour_ms);
CREATE INDEX adjustments_by_booking ON adjustments (booking, line);
`;
