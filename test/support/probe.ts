/** Preloaded into a gateway's process, where it counts what is alive whenever it is asked: all of it takes a second. */
import { Duplex } from "node:stream";
import { queryObjects } from "node:v8";

export interface Figures {
  /** Whatever would keep the process alive, by kind. */
  readonly resources: Readonly<Record<string, number>>;
  /** Objects that the collector cannot free: sockets and HTTP/2 streams are Duplex. */
  readonly live: Readonly<Record<"AbortSignal" | "Duplex" | "Timeout", number>>;
  readonly listeners: number;
  readonly memoryBytes: number;
  readonly warnings: readonly string[];
}

const timer = setTimeout(() => {}, 0);
const Timeout = timer.constructor as new () => NodeJS.Timeout;
const warnings: string[] = [];
process.on("warning", ({ name, message }) => {
  // Of the counting itself.
  if (name !== "ExperimentalWarning") warnings.push(`${name}: ${message}`);
});
process.on("message", (question) => process.send?.(question === "timers" ? count(Timeout) : figures()));
// The question alone keeps no gateway from ending.
process.channel?.unref();

function figures(): Figures {
  const resources: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo()) {
    // A file that is just being read, such as a module, belongs to no stream, nor does what the database is just asked.
    if (!kind.startsWith("FSReq") && kind !== "MessagePort") resources[kind] = (resources[kind] ?? 0) + 1;
  }
  // Counting collects garbage first.
  const live = {
    AbortSignal: count(AbortSignal),
    Duplex: count(Duplex),
    Timeout: count(Timeout),
  };
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  const listeners = process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0);
  return { resources, live, listeners, memoryBytes: heapUsed + arrayBuffers, warnings };
}

function count(kind: typeof AbortSignal | typeof Duplex | typeof Timeout): number {
  return queryObjects(kind, { format: "count" });
}
