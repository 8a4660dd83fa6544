/** What a provider's wire format has to offer to be served: it claims requests by method and path, and answers them. */
import type { BatchStore } from "./batches.ts";
import type { Arrival, Exchange } from "./exchange.ts";
import type { Chaos } from "./fault.ts";
import type { RequestMeter } from "./meter.ts";
import type { PromptCache } from "./prompt-cache.ts";

/** What every answer of one emulator depends on. */
export interface Stage extends Chaos {
  /** When set, only this key is served. */
  readonly apiKey: string | undefined;
  readonly promptCache: PromptCache;
  readonly batches: BatchStore;
  /** How long each line of a batch takes, beside what its faults ask for. */
  readonly batchMs: number;
  /** How long a batch may take before it expires. */
  readonly batchWindowMs: number;
  /** For lines of batches, which come as requests do. */
  readonly meter: RequestMeter;
  readonly arrive: () => Arrival;
}

/** Answers one request to its end; resolves when nothing is left to do. */
export type Operation = (exchange: Exchange, stage: Stage) => Promise<void>;

/** The operation for a method and a path (without its query), or undefined when they are not this format's. */
export type Format = (method: string, path: string) => Operation | undefined;
