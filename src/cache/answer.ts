/**
 * An answer as the cache has it: free of what it cost and of who asked, so that it can be given to anybody. It does not
 * know where it is kept.
 */
import type { StreamResponse } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { Target } from "../core/call.ts";
import { type Clock, rest } from "../core/clock.ts";
import type { PicoUsd } from "../core/money.ts";
import { type Batch, event } from "../core/reply.ts";

/** Nothing of it is ever changed. The last event has `done`. */
export interface Answer extends Target {
  readonly batches: readonly TimedBatch[];
  /** What it cost who paid for it; undefined when that is not known. */
  readonly costPicoUsd: PicoUsd | undefined;
  /** The id of the request that was answered so. */
  readonly requestId: string;
  readonly storedAtMs: number;
  /** Fields of the request that the model did not get; absent for none. */
  readonly dropped?: readonly string[];
}

export interface TimedBatch {
  readonly events: Batch;
  /** Since the answer's first event. */
  readonly atMs: number;
}

/** The event without what only holds for the call that it was made for. */
export function bare({
  costUsd,
  costPicoUsd,
  totalCostUsd,
  receipt,
  ...rest
}: StreamResponse): StreamResponse {
  return rest;
}

/** Events of its own for whoever is given it: those above write the receipt into the last. */
export async function* replayed({ batches }: Answer): AsyncGenerator<Batch> {
  yield batches.flatMap(({ events }) => events.map(stamped));
}

/**
 * The same, each batch as long after the first as it came.
 *
 * @throws the signal's reason
 */
export async function* paced({ batches }: Answer, clock: Clock, signal: AbortSignal): AsyncGenerator<Batch> {
  const beganMs = clock.now();
  for (const { events, atMs } of batches) {
    const waitMs = beganMs + atMs - clock.now();
    if (waitMs > 0) await rest(clock, waitMs, signal);
    yield events.map(stamped);
  }
}

/** As it is given to a call that costs nothing. */
export function stamped(kept: StreamResponse): StreamResponse {
  if (kept.done) return event({ ...kept, costPicoUsd: 0n, totalCostUsd: 0 });
  return event({ ...kept, costPicoUsd: 0n, costUsd: 0 });
}
