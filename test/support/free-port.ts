/**
 * A port for what has to know its own before it listens, or listens there again. It is below those that the system gives
 * to connections and to servers that do not choose, so that none of them takes it meanwhile; and each of the runner's
 * workers chooses among a thousand of its own.
 */
import { once } from "node:events";
import { createServer } from "node:net";

const FIRST = 20_000;
const EACH = 1_000;
const WORKERS = 12;

export async function freePort(): Promise<number> {
  const worker = Number(process.env.VITEST_POOL_ID ?? 0) % WORKERS;
  for (;;) {
    const port = FIRST + EACH * worker + Math.floor(EACH * Math.random());
    if (await isFree(port)) return port;
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    await once(server.listen(port, "127.0.0.1"), "listening");
    return true;
  } catch {
    return false;
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}
