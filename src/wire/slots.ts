/** A bounded number of tasks at once; the rest wait in order. It knows nothing of what they do. */

export interface Slots {
  /** Starts the task, at once or when its turn comes. Each task may enter once. */
  enter(start: () => void): void;
  /** The task is over; or is not wanted any more, and then never starts. Must be called once for each. */
  leave(start: () => void): void;
  /** Resolves when every task that has entered has left. */
  empty(): Promise<void>;
}

export function createSlots(count: number): Slots {
  const waiting = new Set<() => void>();
  const onEmpty: (() => void)[] = [];
  let running = 0;
  const isEmpty = () => running === 0 && waiting.size === 0;
  return {
    enter(start) {
      if (running === count) {
        waiting.add(start);
        return;
      }
      running++;
      start();
    },
    leave(start) {
      if (!waiting.delete(start)) {
        const [next] = waiting;
        if (next) {
          waiting.delete(next);
          next();
        } else {
          running--;
        }
      }
      if (isEmpty()) for (const resolve of onEmpty.splice(0)) resolve();
    },
    empty: () => (isEmpty() ? Promise.resolve() : new Promise((resolve) => onEmpty.push(resolve))),
  };
}
