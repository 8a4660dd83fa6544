/** Runs what might never come back, and stops it then: a loop without end would take the test's own clock with it. */
import { runInThisContext } from "node:vm";

const SLOT = Symbol.for("llmgateway.test.bounded");

/** @throws ERR_SCRIPT_EXECUTION_TIMEOUT when it took longer than that */
export function bounded(timeoutMs: number, act: () => void): void {
  const global = globalThis as typeof globalThis & { [SLOT]?: () => void };
  global[SLOT] = act;
  try {
    runInThisContext('globalThis[Symbol.for("llmgateway.test.bounded")]()', { timeout: timeoutMs });
  } finally {
    delete global[SLOT];
  }
}
