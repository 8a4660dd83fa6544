/** A process that books correction after correction until it is killed, and tells of each that the store has taken. */
import { openStore } from "../../src/store/store.ts";

const [dataDir = ""] = process.argv.slice(2);
const MOST_BOOKINGS = 1_000;
const ROWS = 3_000;
const HOUR = 3_600_000;

const { adjustments } = await openStore({ dataDir, instance: "booker", onDeath: () => process.exit(1) });
for (let bookings = 0; bookings < MOST_BOOKINGS; bookings++) {
  const rows = Array.from({ length: ROWS }, (_, hour) => ({
    hourMs: hour * HOUR,
    tenant: "internal",
    principal: "anonymous",
    tags: {},
    provider: "openai",
    model: "rich",
    operation: "chat",
    route: "explicit",
    priceVersionFrom: "1",
    picoUsd: 1n,
  }));
  const booking = {
    id: `booking ${bookings}`,
    bookedAtMs: bookings,
    bookedBy: "operator",
    reason: "why",
    priceVersion: "2",
  };
  await adjustments.book(booking, rows, bookings);
  process.send?.(bookings);
}
