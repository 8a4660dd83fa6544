/** How the calls to each provider went within the last minute. Counts what it is told, and judges no provider. */
import type { RecentCalls } from "../../gen/ts/llmgateway/v1/gateway_pb.ts";
import type { Attempt } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import type { Clock } from "../core/clock.ts";
import { tellsOfProvider } from "../core/failure.ts";
import { LastMinute } from "../core/last-minute.ts";

const ATTEMPTS = 0;
const FAILURES = 1;

interface Calls {
  readonly counts: LastMinute;
  lastFailureKind: string;
}

export class Traffic {
  private readonly clock: Clock;
  private readonly providers = new Map<string, Calls>();

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** To be told of each attempt once, when it has ended. */
  settled({ provider, outcome, failureKind }: Attempt): void {
    const failed = outcome === "failed";
    if (outcome !== "ok" && !(failed && tellsOfProvider(failureKind))) return;
    const calls = this.callsTo(provider);
    calls.counts.add(ATTEMPTS);
    if (!failed) return;
    calls.counts.add(FAILURES);
    calls.lastFailureKind = failureKind;
  }

  /** Undefined when there were no calls. */
  recent(provider: string): RecentCalls | undefined {
    const { counts, lastFailureKind } = this.callsTo(provider);
    const attempts = counts.total(ATTEMPTS);
    if (attempts === 0) return undefined;
    const failures = counts.total(FAILURES);
    return {
      $typeName: "llmgateway.v1.RecentCalls",
      attempts,
      failures,
      errorShare: failures / attempts,
      lastFailureKind: failures > 0 ? lastFailureKind : "",
    };
  }

  private callsTo(provider: string): Calls {
    const known = this.providers.get(provider);
    if (known) return known;
    const calls = { counts: new LastMinute(this.clock, 2), lastFailureKind: "" };
    this.providers.set(provider, calls);
    return calls;
  }
}
