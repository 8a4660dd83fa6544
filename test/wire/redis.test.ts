/** How long a command may wait for Redis, in virtual time: silence is what counts, and only while somebody listens. */
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { connectRedis, type Redis } from "../../src/wire/redis.ts";
import { VirtualClock } from "../support/clock.ts";

const TIMEOUT_MS = 500;

/** Speaks as much of Redis as a connection needs; what it is asked with ECHO it answers when it is told to. */
class SlowRedis implements AsyncDisposable {
  asked = 0;
  private socket: Socket | undefined;
  private readonly server = createServer((socket) => {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (bytes) => {
      for (const command of commandsOf(String(bytes)))
        if (command === "ECHO") this.asked++;
        else socket.write(command === "HELLO" ? "%1\r\n+proto\r\n:3\r\n" : "+OK\r\n");
    });
  });

  async listen(): Promise<string> {
    this.server.listen(0, "127.0.0.1");
    await once(this.server, "listening");
    return `redis://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** The command that waits longest. */
  answer(): void {
    this.socket?.write("+done\r\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket?.destroy();
    this.server.close();
    await once(this.server, "close");
  }
}

/** The names of the commands in what was read; each of these is in one piece. */
function commandsOf(text: string): string[] {
  return [...text.matchAll(/\*\d+\r\n\$\d+\r\n(\w+)/g)].map(([, name = ""]) => name.toUpperCase());
}

describe("a command", () => {
  let server: SlowRedis;
  let clock: VirtualClock;
  let redis: Redis;
  beforeEach(async () => {
    server = new SlowRedis();
    clock = new VirtualClock();
    const url = await server.listen();
    redis = connectRedis({ url, clock, random: () => 0.5, onChange: () => {}, timeoutMs: TIMEOUT_MS });
    await redis.connected;
  });
  afterEach(async () => {
    await redis.close();
    await server[Symbol.asyncDispose]();
  });

  async function send(count: number): Promise<Promise<unknown>[]> {
    const sent = Array.from({ length: count }, () => redis.send(["ECHO", "x"]));
    // Whoever fails is asked later.
    for (const one of sent) one.catch(() => {});
    await expect.poll(() => server.asked).toBe(count);
    return sent;
  }

  it("fails when Redis says nothing for so long", async () => {
    const [sent] = await send(1);
    await clock.advance(TIMEOUT_MS);
    await expect(sent).rejects.toThrow("Redis did not answer within 500 ms");
  });

  it("fails after twice that time where the clock was set back meanwhile", async () => {
    const [answered, silent] = await send(2);
    server.answer();
    await answered;
    clock.step(-3_600_000);
    for (let time = 0; time < 2; time++) await clock.advance(TIMEOUT_MS);
    await expect(silent).rejects.toThrow("Redis did not answer within 500 ms");
  });

  it("waits behind others for as long as they are answered", async () => {
    const sent = await send(6);
    for (const one of sent) {
      await clock.advance(TIMEOUT_MS - 1);
      server.answer();
      expect(await one).toBe("done");
    }
  });

  it("fails in the end, though others are answered", async () => {
    const sent = await send(22);
    for (const one of sent.slice(0, 21)) {
      await clock.advance(TIMEOUT_MS - 1);
      server.answer();
      await one;
    }
    await clock.advance(TIMEOUT_MS - 1);
    await expect(sent[21]).rejects.toThrow(/^Redis did not answer within 10\d\d\d ms$/);
  });

  it("is served when its answer lies there unread, because this process was late", async () => {
    const [sent] = await send(1);
    await clock.lapse(TIMEOUT_MS, () => server.answer());
    expect(await sent).toBe("done");
  });

  it("is given its time once more by a process that was late, which cannot know who was", async () => {
    const [sent] = await send(1);
    await clock.lapse(2 * TIMEOUT_MS, () => {});
    await clock.advance(TIMEOUT_MS - 1);
    server.answer();
    expect(await sent).toBe("done");
  });
});
