/** Time as a dependency, so that whatever decides by it can be tested without waiting. */
import { MAX_INT32 } from "./int32.ts";

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Runs `action` once after `delayMs`; never keeps the process alive. */
  after(delayMs: number, action: () => void): Timer;
}

export interface Timer {
  /** Starts the delay anew. */
  refresh(): void;
  cancel(): void;
}

/** Resolves after so long. */
export function pass(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => void clock.after(delayMs, resolve));
}

/** The same; rejects with the signal's reason as soon as that aborts. */
export function rest(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.reject(signal.reason);
  return new Promise((resolve, reject) => {
    const leave = () => {
      timer.cancel();
      reject(signal.reason);
    };
    const timer = clock.after(delayMs, () => {
      signal.removeEventListener("abort", leave);
      resolve();
    });
    signal.addEventListener("abort", leave, { once: true });
  });
}

/**
 * Runs `action` once nothing was heard for so long: whoever hears something refreshes
 * or cancels it. A process that was late runs what is due before it reads what came
 * meanwhile, so that which came in time is read first.
 */
export function whenSilent(clock: Clock, delayMs: number, action: () => void): Timer {
  let last: NodeJS.Immediate | undefined;
  const timer = clock.after(delayMs, () => {
    last = setImmediate(action);
  });
  return {
    refresh() {
      clearImmediate(last);
      timer.refresh();
    },
    cancel() {
      clearImmediate(last);
      timer.cancel();
    },
  };
}

/** The platform's timers wait no longer than 24 days, and not at all for what is later. */
export const LONGEST_DELAY_MS = 2 ** 31 - 1;

/** How long it took, as messages can say it: the clock may have been set by years meanwhile, and back as well. */
export function elapsedMs(startedAtMs: number, endedAtMs: number): number {
  return Math.min(Math.max(0, endedAtMs - startedAtMs), MAX_INT32);
}

export const systemClock: Clock = {
  now: () => Date.now(),
  after(delayMs, action) {
    if (delayMs > LONGEST_DELAY_MS) return inSteps(delayMs, action);
    const handle = setTimeout(action, delayMs);
    handle.unref();
    return { refresh: () => handle.refresh(), cancel: () => clearTimeout(handle) };
  },
};

function inSteps(delayMs: number, action: () => void): Timer {
  const wait = (leftMs: number): Timer => {
    const stepMs = Math.min(leftMs, LONGEST_DELAY_MS);
    const next = () => {
      step = wait(leftMs - stepMs);
    };
    return systemClock.after(stepMs, leftMs > stepMs ? next : action);
  };
  let step = wait(delayMs);
  return {
    refresh() {
      step.cancel();
      step = wait(delayMs);
    },
    cancel: () => step.cancel(),
  };
}
