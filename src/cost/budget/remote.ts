/** Runs the script for budgets on Redis, and teaches it to a Redis that does not know it. What it says is not read. */
import { createHash, randomUUID } from "node:crypto";
import type { Redis } from "../../wire/redis.ts";
import { SCRIPT } from "./script.ts";

/** The hash tag keeps all of it on one node of a cluster. */
const PREFIX = "llmgateway:{budget}:";
const EPOCH = `${PREFIX}epoch`;
const LEASES = `${PREFIX}leases`;
const SHA1 = createHash("sha1").update(SCRIPT).digest("hex");

export class RemoteScript {
  private readonly redis: Redis;
  private teaching: Promise<unknown> | undefined;

  constructor(redis: Redis) {
    this.redis = redis;
  }

  /** Under which Redis keeps a reservation. */
  keyOf(reservation: string): string {
    return `${PREFIX}r:${reservation}`;
  }

  /**
   * One step, in one round trip.
   *
   * @param counters their keys
   */
  async run(
    step: "reserve" | "extend" | "settle" | "renew" | "look",
    reservation: string,
    counters: readonly string[],
    input: object,
  ): Promise<readonly unknown[]> {
    const keys = [EPOCH, LEASES, this.keyOf(reservation), ...counters.map((key) => `${PREFIX}c:${key}`)];
    const command = [String(keys.length), ...keys, step, JSON.stringify({ id: reservation, ...input })];
    return this.evaluate(command).then((reply) => reply as readonly unknown[]);
  }

  private async evaluate(command: readonly string[]): Promise<unknown> {
    try {
      return await this.redis.send(["EVALSHA", SHA1, ...command]);
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith("NOSCRIPT"))) throw error;
    }
    this.teaching ??= this.teach().finally(() => {
      this.teaching = undefined;
    });
    await this.teaching;
    return this.redis.send(["EVALSHA", SHA1, ...command]);
  }

  /** The first to bring the script begins a new epoch by it, in one step. It is loaded too, which Redis keeps longer. */
  private async teach(): Promise<void> {
    const keys = [EPOCH, LEASES, this.keyOf("")];
    const input = JSON.stringify({ id: randomUUID() });
    await this.redis.send(["EVAL", SCRIPT, String(keys.length), ...keys, "begin", input]);
    await this.redis.send(["SCRIPT", "LOAD", SCRIPT]);
  }
}
