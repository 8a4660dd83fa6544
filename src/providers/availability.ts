/** Whether a provider would serve, asked seldom: the answer is kept for a while and shared by all who ask. */
import type { Clock } from "../core/clock.ts";
import { toFailure } from "../core/failure.ts";

export interface Availability {
  readonly status: "available" | "unavailable" | "off";
  /** Why not, for people. */
  readonly reason: string;
}

const AVAILABLE: Availability = { status: "available", reason: "" };
const KEPT_MS = 30_000;

/** @param check asks the provider; throws when it would not serve */
export function rememberAvailability(check: () => Promise<void>, clock: Clock): () => Promise<Availability> {
  let asked: Promise<Availability> | undefined;
  let askedAtMs = 0;
  return () => {
    if (!asked || clock.now() - askedAtMs > KEPT_MS) {
      askedAtMs = clock.now();
      asked = check().then(
        () => AVAILABLE,
        (error) => ({ status: "unavailable", reason: toFailure(error).message }),
      );
    }
    return asked;
  };
}
