/** A crowd that calls at once, and a process too busy to hear it at once: nobody in it is cut off. */
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Listener, listen } from "../../src/rpc/listener.ts";
import { VirtualClock } from "../support/clock.ts";

const REQUEST = "GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";
/** For how long a connection may be silent from its start, and amid the preface of HTTP/2. */
const SILENT_MS = 75_000;
const AMID_PREFACE_MS = 10_000;

let clock: VirtualClock;
let listener: Listener;
beforeEach(async () => {
  clock = new VirtualClock();
  listener = await listen({
    host: "127.0.0.1",
    port: 0,
    tls: undefined,
    http2: { maxConcurrentStreams: 10, pingIntervalMs: 30_000, pingTimeoutMs: 20_000 },
    handler: (_, reply) => reply.end(),
    clock,
  });
});
afterEach(() => listener.close(0));

/** Connects as many as it is told to, and writes how many are let in before any has to knock again, after a second. */
const KNOCK = `
const [port, count] = process.argv.slice(1).map(Number);
const { connect } = require("node:net");
let connected = 0;
const end = () => require("node:fs").writeSync(1, String(connected)) && process.exit();
for (let n = 0; n < count; n++) connect(port, "127.0.0.1", () => ++connected === count && end()).on("error", end);
// Started when all have knocked, and looked at after whoever was let in was heard.
setImmediate(() => setTimeout(() => setImmediate(end), 500));
`;

test("two thousand connections wait until there is time to accept them", () => {
  const crowd = Math.min(2_000, allowedBySystem());
  // This process, which would accept them, does nothing until the crowd is gone.
  const { stdout } = spawnSync(process.execPath, ["-e", KNOCK, String(listener.port), String(crowd)]);
  expect(Number(stdout)).toBe(crowd);
});

function allowedBySystem(): number {
  if (process.platform !== "linux") return 128;
  return Number(readFileSync("/proc/sys/net/core/somaxconn", "utf8"));
}

describe("a connection that is accepted", () => {
  let socket: Socket;
  beforeEach(async () => {
    socket = connect({ host: "127.0.0.1", port: listener.port, noDelay: true });
    await expect.poll(() => clock.pending).toBe(1);
  });
  afterEach(() => {
    socket.destroy();
  });

  async function answer(): Promise<string> {
    return String((await once(socket, "data"))[0]);
  }

  test("is heard when its first bytes lie there unread, because this process was late", async () => {
    await clock.lapse(SILENT_MS, () => socket.write(REQUEST));
    expect(await answer()).toMatch(/^HTTP\/1\.1 200 OK/);
  });

  test("is heard when what follows its first bytes lies there unread", async () => {
    socket.write("P");
    // Once they are read, the time for the preface is in force.
    await expect.poll(() => clock.due).toEqual([AMID_PREFACE_MS]);
    await clock.lapse(AMID_PREFACE_MS, () => socket.write(REQUEST.replace("GET", "OST")));
    expect(await answer()).toMatch(/^HTTP\/1\.1 200 OK/);
  });

  test("may be opened beforehand, and used as late as one that is kept", async () => {
    await clock.advance(SILENT_MS - 1);
    socket.write(REQUEST);
    expect(await answer()).toMatch(/^HTTP\/1\.1 200 OK/);
    expect(clock.pending).toBe(0);
  });

  test.each([
    ["says nothing", "", SILENT_MS],
    ["ends amid the preface", "PRI * HT", AMID_PREFACE_MS],
  ])("is closed when it %s", async (_, start, afterMs) => {
    socket.write(start);
    await expect.poll(() => clock.due).toEqual([afterMs]);
    socket.resume();
    const closed = once(socket, "close");
    await clock.advance(afterMs);
    await closed;
    expect(clock.pending).toBe(0);
  });
});
