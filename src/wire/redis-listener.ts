/** Hears what is published on one channel of Redis, on a connection of its own. It does not know what is said there. */
import { createRedisClient } from "./redis-client.ts";

export interface RedisListenerOptions {
  readonly url: string;
  /** Between 0 and 1. */
  readonly random: () => number;
  readonly channel: string;
  readonly onMessage: (message: string) => void;
  /** It listens from now on, for the first time or again; what was said before is not known. */
  readonly onListening: () => void;
}

export interface RedisListener {
  close(): void;
}

/** Connects in the background, again and again. */
export function listenOnRedis({
  url,
  random,
  channel,
  onMessage,
  onListening,
}: RedisListenerOptions): RedisListener {
  const client = createRedisClient({ url, random, patient: true });
  let listening = false;
  // Once subscribed it is so on every connection that follows.
  client.on("ready", () => listening && onListening());
  // Who is away is told by the connection that commands go by.
  client.on("error", () => {});
  client.connect().catch(() => {});
  client
    .subscribe(channel, onMessage)
    .then(() => {
      listening = true;
      onListening();
    })
    .catch(() => {});
  return {
    close() {
      if (client.isOpen) client.destroy();
    },
  };
}
