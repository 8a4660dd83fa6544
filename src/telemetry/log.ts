/** The log: JSON lines on standard output, one wide event a request, written off the call's path. */
import pino, { type DestinationStream, type Logger } from "pino";

export type { Logger } from "pino";

/** Lines wait for this many bytes, or for the next flush, so that a call never waits for a write. */
const BUFFERED_BYTES = 8 * 1024;
const FLUSH_INTERVAL_MS = 250;

export interface Log {
  readonly logger: Logger;
  /** Writes what is waiting, and stops. */
  close(): Promise<void>;
}

/** @param destination for tests; standard output by default */
export function createLog(level: string, destination?: DestinationStream): Log {
  const options = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime };
  if (destination) return { logger: pino(options, destination), close: async () => {} };
  const output = pino.destination({ fd: 1, sync: false, minLength: BUFFERED_BYTES });
  const timer = setInterval(() => output.flush(), FLUSH_INTERVAL_MS);
  timer.unref();
  return {
    logger: pino(options, output),
    close: () =>
      new Promise((resolve) => {
        clearInterval(timer);
        output.flush(() => resolve());
      }),
  };
}
