/**
 * Whether a provider would serve, asked seldom: the answer is kept for a while and shared by all who ask.
 * Nobody asks by himself, so that a gateway whose status is not read costs its providers nothing.
 */
import type { RecentCalls } from "../../gen/ts/llmgateway/v1/gateway_pb.ts";
import type { Clock } from "../core/clock.ts";
import { toFailure } from "../core/failure.ts";

export interface Availability {
  readonly status: "available" | "degraded" | "unavailable" | "unchecked" | "off";
  /** Why not, for people. */
  readonly reason: string;
  /** When the provider answered or failed to; absent when it was not asked. */
  readonly checkedAtMs?: number;
}

const KEPT_MS = 30_000;
/** An answer is kept for so much more or less, so that those who asked at once do not all ask at once again. */
const JITTER = 0.2;
/** A provider that says nothing holds nobody up for longer. */
const WAIT_MS = 2_000;

/**
 * @param check asks the provider; throws when it would not serve
 * @param random draws from 0 up to 1
 */
export function rememberAvailability(
  check: () => Promise<void>,
  clock: Clock,
  random: () => number,
): () => Promise<Availability> {
  let known: Availability | undefined;
  let asking: Promise<Availability> | undefined;
  let askedAtMs = 0;
  let keptUntilMs = 0;
  const ask = async (): Promise<Availability> => {
    askedAtMs = clock.now();
    keptUntilMs = askedAtMs + KEPT_MS * (1 + JITTER * (2 * random() - 1));
    const said = await check().then(
      () => ({ status: "available", reason: "" }) as const,
      (error) => ({ status: "unavailable", reason: toFailure(error).message }) as const,
    );
    asking = undefined;
    known = { ...said, checkedAtMs: clock.now() };
    return known;
  };
  return async () => {
    if (!asking) {
      const nowMs = clock.now();
      // Where the clock was set back, it would be kept for as much longer.
      if (known && nowMs >= askedAtMs && nowMs <= keptUntilMs) return known;
      asking = ask();
    }
    return within(WAIT_MS, asking, () => known ?? SILENT, clock);
  };
}

const SILENT: Availability = { status: "unchecked", reason: `it did not answer within ${WAIT_MS} ms` };

/** Below so many calls, their share of failures means little. */
const TELLING_ATTEMPTS = 5;
const DEGRADED_SHARE = 0.5;

/**
 * What a provider says of itself, beside how it serves.
 *
 * @param circuit whether calls are sent to it, and by whose will
 */
export function judge(
  said: Availability,
  recent: RecentCalls | undefined,
  circuit: { readonly state: string; readonly mode: string },
): Availability {
  if (said.status === "off") return said;
  if (said.status !== "unavailable" && circuit.state === "open") {
    const reason =
      circuit.mode === "open"
        ? "its circuit was opened by hand, and nothing is sent to it"
        : "its circuit is open, since too many calls failed";
    return { ...said, status: "degraded", reason };
  }
  if (!recent) return said;
  const { attempts, failures, errorShare, lastFailureKind } = recent;
  const failing = attempts >= TELLING_ATTEMPTS && errorShare >= DEGRADED_SHARE;
  if (said.status === "unavailable") {
    if (failing || attempts === failures) return said;
    return { ...said, status: "degraded", reason: `calls succeed, but its check does not: ${said.reason}` };
  }
  if (!failing) return said;
  const reason = `${failures} of the last minute's ${attempts} calls failed, the latest by ${lastFailureKind}`;
  return { ...said, status: "degraded", reason };
}

function within<T>(ms: number, answer: Promise<T>, otherwise: () => T, clock: Clock): Promise<T> {
  return new Promise((resolve) => {
    const timer = clock.after(ms, () => resolve(otherwise()));
    answer.then((value) => {
      timer.cancel();
      resolve(value);
    });
  });
}
