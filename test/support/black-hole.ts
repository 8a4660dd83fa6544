/** An address on loopback where connections are begun and never made, as behind a firewall that drops packets. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { Worker } from "node:worker_threads";

export interface BlackHole extends AsyncDisposable {
  readonly origin: string;
}

/** More than the system keeps for a listener that accepts none. */
const FILLERS = 8;

/** A thread that listens and then stands still, so that nobody accepts and what is sent to a full queue is dropped. */
const LISTENER = `
  const { parentPort } = require("node:worker_threads");
  const server = require("node:net").createServer().listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => {
    parentPort.postMessage(server.address().port);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  });`;

export async function startBlackHole(): Promise<BlackHole> {
  const worker = new Worker(LISTENER, { eval: true });
  const [port] = await once(worker, "message");
  const fillers = Array.from({ length: FILLERS }, () => connect(port, "127.0.0.1").on("error", () => {}));
  // Those that fit are connected at once; the system has then been asked for all others too.
  await Promise.race(fillers.map((filler) => once(filler, "connect")));
  return {
    origin: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      for (const filler of fillers) (filler as Socket).destroy();
      await worker.terminate();
    },
  };
}
