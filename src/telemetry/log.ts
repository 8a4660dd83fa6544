/** The log: JSON lines on standard output, one wide event a request, written off the call's path. */
import pino, { type DestinationStream, type Logger } from "pino";
import type { Failure } from "../core/failure.ts";

export type { Logger } from "pino";

/** Lines wait for this many bytes, or for the next flush, so that a call never waits for a write. */
const BUFFERED_BYTES = 15 * 1024;
const FLUSH_INTERVAL_MS = 250;

/** As bytes: of lines that are gathered as text, all that waits would be counted anew with each. */
const OUTPUT = { fd: 1, sync: false, minLength: BUFFERED_BYTES, contentMode: "buffer" } as const;
type Output = ReturnType<typeof pino.destination> & { write(bytes: Buffer): boolean };

export interface Log {
  readonly logger: Logger;
  /** Writes what is waiting, and stops. */
  close(): Promise<void>;
}

/** @param destination for tests; standard output by default */
export function createLog(level: string, destination?: DestinationStream): Log {
  const options = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime };
  if (destination) return { logger: pino(options, destination), close: async () => {} };
  const output = pino.destination(OUTPUT) as Output;
  const lines = { write: (line: string) => void output.write(Buffer.from(line)) };
  const timer = setInterval(() => output.flush(), FLUSH_INTERVAL_MS);
  timer.unref();
  return {
    logger: pino(options, lines),
    close: () =>
      new Promise((resolve) => {
        clearInterval(timer);
        output.flush(() => resolve());
      }),
  };
}

type Level = "info" | "warn" | "error";

/** Of what tells how something ended: callers' own faults are for callers, and a defect is for who mends the gateway. */
export function levelOf(failure: Failure | undefined): Level {
  if (failure?.kind === "internal") return "error";
  const { faultOf = "nobody" } = failure?.traits ?? {};
  return faultOf === "provider" || faultOf === "operator" ? "warn" : "info";
}

/**
 * One wide event, as the line that the logger itself would write. Serialised
 * here, because pino's own serialiser takes ten times as long for so many fields
 * as `JSON.stringify` does (11 µs and 1 µs), and every call pays for it.
 */
export function writeEvent(logger: Logger, level: Level, event: object, msg: string): void {
  if (!logger.isLevelEnabled(level)) return;
  const head = `{"level":${logger.levels.values[level]},"time":"${new Date().toISOString()}",`;
  const stream = (logger as unknown as Record<symbol, DestinationStream>)[pino.symbols.streamSym];
  stream?.write(`${head}${JSON.stringify(event).slice(1, -1)},"msg":"${msg}"}\n`);
}
