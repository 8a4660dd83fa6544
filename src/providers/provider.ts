/** What the gateway holds of each configured provider, whatever its kind. */
import type { AttemptCall, Service } from "../core/call.ts";
import type { Availability } from "./availability.ts";

export interface Provider {
  readonly name: string;
  readonly kind: string;
  /** Why it is not called at all; empty when it is. */
  readonly off: string;
  readonly serve: Service<AttemptCall>;
  /** Fails as `serve` would before anything is sent, and sends nothing. */
  readonly rehearse: Service<AttemptCall>;
  /** Whether it serves batches. */
  readonly batches: boolean;
  /** Asks the provider whether it would serve, or remembers what it said lately. */
  availability(): Promise<Availability>;
  /** Resolves once its connections are closed; calls under way end first. */
  close(): Promise<void>;
}
