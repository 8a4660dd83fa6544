/** How the calls to each provider went within the last minute. Counts what it is told, and judges no provider. */
import type { RecentCalls } from "../../gen/ts/llmgateway/v1/gateway_pb.ts";
import type { Attempt } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import type { Clock } from "../core/clock.ts";
import { tellsOfProvider } from "../core/failure.ts";

/** The minute moves on in steps of this. */
const SLOT_MS = 5_000;
const SLOTS = 12;

interface Slot {
  /** Which step of time it counts; a slot is used again for a later one. */
  step: number;
  attempts: number;
  failures: number;
  lastFailureKind: string;
}

export class Traffic {
  private readonly clock: Clock;
  private readonly providers = new Map<string, Slot[]>();

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** To be told of each attempt once, when it has ended. */
  settled({ provider, outcome, failureKind }: Attempt): void {
    const failed = outcome === "failed";
    if (outcome !== "ok" && !(failed && tellsOfProvider(failureKind))) return;
    const slot = this.slotOf(provider);
    slot.attempts++;
    if (!failed) return;
    slot.failures++;
    slot.lastFailureKind = failureKind;
  }

  /** Undefined when there were no calls. */
  recent(provider: string): RecentCalls | undefined {
    const oldest = this.step - SLOTS + 1;
    const slots = this.providers.get(provider)?.filter(({ step }) => step >= oldest) ?? [];
    const attempts = slots.reduce((sum, slot) => sum + slot.attempts, 0);
    if (attempts === 0) return undefined;
    const failures = slots.reduce((sum, slot) => sum + slot.failures, 0);
    const newestFirst = slots.sort((a, b) => b.step - a.step);
    return {
      $typeName: "llmgateway.v1.RecentCalls",
      attempts,
      failures,
      errorShare: failures / attempts,
      lastFailureKind: newestFirst.find((slot) => slot.failures > 0)?.lastFailureKind ?? "",
    };
  }

  private get step(): number {
    return Math.floor(this.clock.now() / SLOT_MS);
  }

  private slotOf(provider: string): Slot {
    const { step } = this;
    const slots = this.providers.get(provider) ?? [];
    this.providers.set(provider, slots);
    const known = slots[step % SLOTS];
    if (known?.step === step) return known;
    const slot = { step, attempts: 0, failures: 0, lastFailureKind: "" };
    slots[step % SLOTS] = slot;
    return slot;
  }
}
