/** A port where nobody takes the connections that come: once its queue is full, those that follow are not even refused. */
import { connect, type Socket } from "node:net";
import { Worker } from "node:worker_threads";

export interface FullPort extends AsyncDisposable {
  readonly url: string;
}

/** A connection that is not made within this is one for which there is no place. */
const PATIENCE_MS = 100;

export async function startFullPort(): Promise<FullPort> {
  // A thread that listens and then stands still: the kernel queues for it, and it takes nothing from the queue.
  const worker = new Worker(
    `const { parentPort } = require("node:worker_threads");
     const server = require("node:net").createServer();
     server.listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => {
       parentPort.postMessage(server.address().port);
       setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0));
     });`,
    { eval: true },
  );
  const port = await new Promise<number>((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
  });
  const queued: Socket[] = [];
  while (await connects(port, queued));
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of queued) socket.destroy();
      await worker.terminate();
    },
  };
}

function connects(port: number, queued: Socket[]): Promise<boolean> {
  const socket = connect(port, "127.0.0.1").on("error", () => {});
  queued.push(socket);
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), PATIENCE_MS);
    socket.once("connect", () => {
      clearTimeout(timer);
      resolve(true);
    });
  });
}
