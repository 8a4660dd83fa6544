/** How badly a row and an exchange fit each other: less than 1 where nothing speaks against them but the time between. */
import { type AttemptRow, bookedFor } from "./books.ts";
import { type Exchange, meteredBy } from "./exchanges.ts";
import { costOf } from "./prices.ts";

export function misfit(row: AttemptRow, exchange: Exchange): number {
  const apartMs = Math.abs(exchange.startedAtMs - row.startedAtMs);
  return (
    disagreement(row, exchange) +
    (begins(row, exchange) ? 0 : 50) +
    (endsAlike(row, exchange) ? 0 : 10) +
    apartMs / (apartMs + 1_000)
  );
}

/** What it costs to leave a row to no exchange at all: what was measured came from somewhere. */
export function leftOver(row: AttemptRow): number {
  const booked = bookedFor(row);
  if (booked === 0n || row.outcome !== "ok") return booked === 0n ? 1 : 5;
  return 100;
}

/** Clocks of two processes may read as much apart. */
const SKEW_MS = 5;

export function begins({ startedAtMs }: AttemptRow, exchange: Exchange): boolean {
  return startedAtMs <= exchange.startedAtMs + SKEW_MS;
}

export function sameTokens(row: AttemptRow, exchange: Exchange): boolean {
  const { inputTokens, cachedInputTokens, outputTokens } = meteredBy([exchange]);
  return (
    row.inputTokens === inputTokens &&
    row.cachedInputTokens === cachedInputTokens &&
    row.outputTokens === outputTokens
  );
}

/** The likeliest figure, which is booked of a whole answer that was not counted, may well be too low. */
function disagreement(row: AttemptRow, exchange: Exchange): number {
  if (row.provenance === "measured") return sameTokens(row, exchange) ? 0 : 100;
  const cost = costOf(row.provider, row.model, meteredBy([exchange]));
  if (cost === undefined || (bookedFor(row) ?? 0n) >= cost) return 0;
  return row.outcome === "ok" && exchange.outcome === "served" ? 20 : 100;
}

function endsAlike({ outcome }: AttemptRow, exchange: Exchange): boolean {
  if (outcome === "ok") return exchange.outcome === "served";
  return outcome === "abandoned" ? exchange.outcome === "aborted" : exchange.outcome !== "aborted";
}
