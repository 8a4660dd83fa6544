/** Work that is done again and again, each time so long after the time before has ended. */
import type { Clock, Timer } from "./clock.ts";

export interface Repeated {
  /** Not once more. Resolves when what is under way has ended. */
  stop(): Promise<void>;
}

/** @param work never rejects */
export function repeat(clock: Clock, everyMs: number, work: () => Promise<void>): Repeated {
  let timer: Timer | undefined;
  let underWay: Promise<void> | undefined;
  let stopped = false;
  const later = () => {
    if (stopped) return;
    timer = clock.after(everyMs, () => {
      underWay = work().finally(later);
    });
  };
  later();
  return {
    async stop() {
      stopped = true;
      timer?.cancel();
      await underWay;
    },
  };
}
