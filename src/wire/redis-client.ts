/** The client that speaks to Redis, as every connection of ours has it: it comes back by itself, again and again. */
import { createRequire } from "node:module";

export interface RedisClientOptions {
  readonly url: string;
  /** Between 0 and 1. */
  readonly random: () => number;
  /** Whether what is asked while it is away waits for it. */
  readonly patient: boolean;
  /** Whether strings of any bytes come as buffers. Default false. */
  readonly bytes?: boolean | undefined;
}

const CONNECT_TIMEOUT_MS = 2_000;
/** A connection that nothing came from for so long is given up; a ping is sent before. */
const SILENCE_MS = 10_000;
const PING_MS = 3_000;
const RETRY_MS = { least: 50, most: 2_000 };
/** Commands that wait for an answer; one that hangs must not fill the memory. */
const MAX_WAITING = 20_000;

/** Loaded once it is needed, since few gateways have a Redis: it is a fifth of all that a start would load. */
const load = createRequire(import.meta.url);

export function createRedisClient({ url, random, patient, bytes = false }: RedisClientOptions) {
  const { createClient, RESP_TYPES }: typeof import("@redis/client") = load("@redis/client");
  return createClient({
    url,
    disableOfflineQueue: !patient,
    commandsQueueMaxLength: MAX_WAITING,
    pingInterval: PING_MS,
    maintNotifications: "disabled",
    // Ours bounds the answer too, theirs only the time until a command is sent.
    commandOptions: { timeout: 0, ...(bytes && { typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } }) },
    socket: {
      connectTimeout: CONNECT_TIMEOUT_MS,
      socketTimeout: SILENCE_MS,
      reconnectStrategy: (retries) =>
        Math.min(RETRY_MS.least * 2 ** Math.min(retries, 10), RETRY_MS.most) * (0.5 + random() / 2),
    },
  });
}
