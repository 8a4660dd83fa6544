/** How experiments stand in the way of a call: what is assigned, what is copied, and what is told of both. */
import { randomUUIDv7 } from "node:crypto";
import type { Books } from "./books.ts";
import type { CompleteConfig } from "./config/defaults.ts";
import type { Service } from "./core/call.ts";
import type { Clock } from "./core/clock.ts";
import type { CallRow } from "./core/ledger.ts";
import type { UnderWay } from "./core/under-way.ts";
import type { Experiments } from "./experimenting.ts";
import { deadline } from "./layers/deadline.ts";
import { experiment } from "./layers/experiment.ts";
import { record, type Signals } from "./layers/record.ts";
import { shadow } from "./layers/shadow.ts";

export interface VaryingMeans {
  readonly signals: Signals;
  readonly clock: Clock;
  readonly books: Pick<Books, "ledger">;
  readonly experiments: Experiments;
}

/** Above the cache, so that what one variant answered is never given to another: each asks for a model of its own. */
export function varied(
  { experiments: configured }: Pick<CompleteConfig, "experiments">,
  answered: Service,
  routed: Service,
  underWay: UnderWay,
  { signals, clock, books, experiments }: VaryingMeans,
): Service {
  const all = Object.values(configured);
  if (all.length === 0) return answered;
  const assigned = experiment(experiments.laboratory)(answered);
  if (all.every(({ shadows }) => shadows.length === 0)) return assigned;
  // Copies are no calls of the caller's: they pass by its limits, its keys and the cache.
  const copies = record(signals, clock, booking(books, experiments), underWay)(deadline(clock)(routed));
  return shadow({ ...experiments.shadowing, newCallId: randomUUIDv7 }, copies)(assigned);
}

export function booking({ ledger }: Pick<Books, "ledger">, experiments: Experiments): (row: CallRow) => void {
  return (row) => {
    ledger?.call(row);
    experiments.settled(row);
  };
}
