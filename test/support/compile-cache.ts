/** Of the environment of processes that tests start: where they keep what was compiled, so that the next starts in half the time. */
import { join } from "node:path";

export const COMPILE_CACHE = {
  NODE_COMPILE_CACHE: join(import.meta.dirname, "..", "..", ".cache", "compile"),
};
