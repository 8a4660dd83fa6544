/** Repriced attempts summed by the day and the model, exactly. What cannot be repriced is told apart, never dropped. */
import type { Target } from "../../core/call.ts";
import type { BookedAttempt } from "../../core/usage-store.ts";
import { type Prices, type Repriced, repriced } from "./reprice.ts";
import { type Moves, moved } from "./what-if.ts";

export interface RepricedSums {
  /** Of UTC, such as `2026-08-01`; empty in a total. */
  readonly day: string;
  readonly provider: string;
  readonly model: string;
  /** Where it is priced, when that is not where it was sent. */
  readonly to: Target | undefined;
  attempts: number;
  /** Of the attempts, those that have a price now. */
  repriced: number;
  /** What those were booked with. */
  bookedPicoUsd: bigint;
  /** What they cost now. */
  repricedPicoUsd: bigint;
  /** Of the repriced, those that were booked without a cost. */
  unpricedBefore: number;
  /** Of the repriced, those at a price that stands in for another. */
  assumed: number;
  unknownUsage: number;
  unknownModel: number;
  /** What those two were booked with. */
  leftPicoUsd: bigint;
  cachedAsFreshTokens: number;
  tooLong: number;
  /** By which they were booked; none for those without a cost. */
  readonly priceVersions: Set<string>;
}

export class Audit {
  private readonly sums = new Map<string, RepricedSums>();
  private readonly prices: Prices;
  private readonly moves: Moves | undefined;
  /** Attempts that were seen, and of them those that no move is about. */
  seen = 0;
  unmoved = 0;
  unmovedPicoUsd = 0n;

  /** @param moves where attempts are priced instead; those that it does not name are left out then */
  constructor(prices: Prices, moves?: Moves) {
    this.prices = prices;
    this.moves = moves;
  }

  add(booked: BookedAttempt): void {
    this.seen++;
    if (!this.moves) {
      count(this.of(booked, undefined), booked, repriced(booked, this.prices));
      return;
    }
    const move = moved(booked, this.moves, this.prices);
    if (!move) {
      this.unmoved++;
      this.unmovedPicoUsd += booked.attempt.actualPicoUsd ?? 0n;
      return;
    }
    const sums = this.of(booked, move.to);
    count(sums, booked, move.repriced);
    sums.cachedAsFreshTokens += move.cachedAsFresh;
    if (move.tooLong) sums.tooLong++;
  }

  /** By day, then by provider and model. */
  rows(): RepricedSums[] {
    const key = ({ day, provider, model }: RepricedSums) => `${day} ${provider}/${model}`;
    return [...this.sums.values()].sort((a, b) => (key(a) < key(b) ? -1 : 1));
  }

  total(): RepricedSums {
    const total = nothing("", "", "", undefined);
    for (const sums of this.sums.values()) {
      for (const [name, value] of Object.entries(sums)) {
        if (typeof value === "number") total[name as "attempts"] += value;
        if (typeof value === "bigint") total[name as "bookedPicoUsd"] += value;
      }
      for (const version of sums.priceVersions) total.priceVersions.add(version);
    }
    return total;
  }

  private of({ startedAtMs, attempt: { provider, model } }: BookedAttempt, to: Target | undefined) {
    const day = new Date(startedAtMs).toISOString().slice(0, "2026-08-01".length);
    // A name holds no line break, and each is moved to one place.
    const key = [day, provider, model, to?.provider, to?.model].join("\n");
    const known = this.sums.get(key) ?? nothing(day, provider, model, to);
    this.sums.set(key, known);
    return known;
  }
}

function count(sums: RepricedSums, { attempt }: BookedAttempt, result: Repriced): void {
  const booked = attempt.actualPicoUsd;
  sums.attempts++;
  if (booked !== undefined && attempt.priceVersion !== "") sums.priceVersions.add(attempt.priceVersion);
  if (result.cost === undefined) {
    sums[result.why === "unknown_usage" ? "unknownUsage" : "unknownModel"]++;
    sums.leftPicoUsd += booked ?? 0n;
    return;
  }
  sums.repriced++;
  sums.bookedPicoUsd += booked ?? 0n;
  sums.repricedPicoUsd += result.cost;
  if (booked === undefined) sums.unpricedBefore++;
  if (result.isAssumed) sums.assumed++;
}

function nothing(day: string, provider: string, model: string, to: Target | undefined): RepricedSums {
  return {
    day,
    provider,
    model,
    to,
    attempts: 0,
    repriced: 0,
    bookedPicoUsd: 0n,
    repricedPicoUsd: 0n,
    unpricedBefore: 0,
    assumed: 0,
    unknownUsage: 0,
    unknownModel: 0,
    leftPicoUsd: 0n,
    cachedAsFreshTokens: 0,
    tooLong: 0,
    priceVersions: new Set(),
  };
}
