/**
 * The connection to Redis: one, pipelined, with a limit of time on each command and no queue while it is away. It does
 * not know what is kept there.
 */
import type { Clock } from "../core/clock.ts";
import { messageOf } from "../core/message.ts";
import { redact } from "../core/redact.ts";
import { createRedisClient } from "./redis-client.ts";

/** Redis is away, and has not seen the command. */
export class RedisAway extends Error {
  constructor() {
    super("Redis is away");
    this.name = "RedisAway";
  }
}

export interface Redis {
  /**
   * Sends one command.
   *
   * @throws RedisAway, or what Redis answered, or that it took too long or broke off: then it may be done all the same
   */
  send(command: readonly (string | Buffer)[]): Promise<unknown>;
  /** Resolves once it is there for the first time. */
  readonly connected: Promise<void>;
  close(): Promise<void>;
}

export interface RedisOptions {
  readonly url: string;
  readonly clock: Clock;
  /** Between 0 and 1. */
  readonly random: () => number;
  /** Told when it is gone, and when it is there again. Never has the password. */
  readonly onChange: (state: "connected" | "away", reason: string) => void;
  /**
   * How long Redis may say nothing while a command waits. One that waits behind others which are answered, or while
   * this process has no time to listen, may take twenty times as long. Default 500 ms.
   */
  readonly timeoutMs?: number;
  /** Whether strings come as buffers, since they are of any bytes. Default false. */
  readonly bytes?: boolean;
}

/** In a burst the last is answered late by a Redis that is as quick as ever. */
const PATIENCE = 20;

/** Connects in the background, again and again. */
export function connectRedis({ url, clock, random, onChange, timeoutMs = 500, bytes }: RedisOptions): Redis {
  let connected: boolean | undefined;
  let heardMs = 0;
  const tell = (now: boolean, reason: string) => {
    if (connected === now) return;
    connected = now;
    onChange(now ? "connected" : "away", reason);
  };
  const nowMs = onward(clock);
  const client = createRedisClient({ url, random, bytes, patient: false });
  const first = Promise.withResolvers<void>();
  client.on("ready", () => {
    tell(true, "");
    first.resolve();
  });
  client.on("error", (error: unknown) => tell(false, redact(messageOf(error))));
  // It rejects only when it is closed before it was connected; all else comes as an error and is tried again.
  client.connect().catch(() => {});

  return {
    connected: first.promise,
    send(command) {
      return new Promise((resolve, reject) => {
        if (!client.isReady) return reject(new RedisAway());
        const sentMs = nowMs();
        let answered = false;
        let dueMs = sentMs + timeoutMs;
        let timer = clock.after(timeoutMs, look);
        function lookIn(delayMs: number) {
          dueMs = nowMs() + delayMs;
          timer = clock.after(delayMs, look);
        }
        /** Where this process was busy for so long, the answer may lie here unread. */
        function look() {
          setImmediate(() => answered || check());
        }
        function check() {
          const now = nowMs();
          const silentMs = now - Math.max(sentMs, heardMs);
          const deaf = now - dueMs > timeoutMs / 2;
          if (now - sentMs >= PATIENCE * timeoutMs || (silentMs >= timeoutMs && !deaf))
            reject(new Error(`Redis did not answer within ${now - sentMs} ms`));
          else lookIn(deaf ? timeoutMs : timeoutMs - silentMs);
        }
        const settle = (act: () => void) => {
          heardMs = nowMs();
          answered = true;
          timer.cancel();
          act();
        };
        client.sendCommand(command).then(
          (reply) => settle(() => resolve(reply)),
          (error) => settle(() => reject(error)),
        );
      });
    },
    async close() {
      if (client.isOpen) client.destroy();
    },
  };
}

/** A clock that stands still where the other one is set back: what waits for it would wait for as much longer. */
function onward(clock: Clock): () => number {
  let lastMs = 0;
  let setBackMs = 0;
  return () => {
    const ms = clock.now();
    setBackMs = Math.max(setBackMs, lastMs - ms);
    lastMs = ms + setBackMs;
    return lastMs;
  };
}
