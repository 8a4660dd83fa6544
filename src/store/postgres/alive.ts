/**
 * Shows the other replicas that this instance lives: it holds a lock that PostgreSQL frees when the connection
 * ends. It knows nothing of what is booked for whom.
 */
import { createHash } from "node:crypto";
import { Client, type PoolClient } from "pg";
import type { Clock, Timer } from "../../core/clock.ts";
import { settingsOf } from "./connection.ts";

const AGAIN_MS = 1_000;

export class Alive {
  private readonly connectionString: string;
  private readonly key: string;
  private readonly clock: Clock;
  private client: Client | undefined;
  private timer: Timer | undefined;
  private closed = false;

  constructor(connectionString: string, instance: string, clock: Clock) {
    this.connectionString = connectionString;
    this.key = lockKey(instance);
    this.clock = clock;
  }

  /** @throws Error when there is no connection, or another holds the lock */
  async hold(): Promise<void> {
    const client = new Client(settingsOf(this.connectionString));
    // What it failed by is told by its end.
    client.on("error", () => {});
    try {
      await client.connect();
      const { rows } = await client.query("SELECT pg_try_advisory_lock($1) AS held", [this.key]);
      if (!rows[0]?.held) throw new Error("another gateway bears this instance's name");
    } catch (error) {
      await client.end().catch(() => {});
      throw error;
    }
    this.client = client;
    client.once("end", () => this.again());
  }

  async close(): Promise<void> {
    this.closed = true;
    this.timer?.cancel();
    await this.client?.end().catch(() => {});
  }

  /** The server may hold the lost connection's lock for a while, which shows as much. */
  private again(): void {
    if (this.closed) return;
    this.timer = this.clock.after(AGAIN_MS, () => {
      this.hold().catch(() => this.again());
    });
  }
}

/** The same for all replicas: 64 bits of a hash, as PostgreSQL counts them. */
export function lockKey(instance: string): string {
  return String(createHash("sha256").update(`llmgateway ${instance}`).digest().readBigInt64BE());
}

/** Takes a lock until the transaction ends, unless another has it. */
export async function locked(client: PoolClient, key: string): Promise<boolean> {
  const { rows } = await client.query("SELECT pg_try_advisory_xact_lock($1) AS held", [key]);
  return rows[0]?.held === true;
}
