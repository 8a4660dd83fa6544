/** What is known of how targets do, kept over all reloads. */
import type { Clock } from "../core/clock.ts";
import { Circuits, type OnChange } from "./circuits.ts";
import { Latencies } from "./latency.ts";
import { Limiters } from "./limiters.ts";
import { Share } from "./share.ts";
import { Targets } from "./targets.ts";

export interface Standing {
  readonly circuits: Circuits;
  readonly latencies: Latencies;
  readonly limiters: Limiters;
  /** What is left of each target's share of retries, and of second attempts. */
  readonly retries: Targets<Share>;
  readonly hedges: Targets<Share>;
}

export function createStanding(clock: Clock, onCircuit: OnChange): Standing {
  return {
    circuits: new Circuits(clock, onCircuit),
    latencies: new Latencies(clock),
    limiters: new Limiters(clock),
    retries: new Targets(() => new Share(clock)),
    hedges: new Targets(() => new Share(clock)),
  };
}
