/**
 * Turns by leases on Redis. Who has the lease makes the call and renews it; the others look again and again until the
 * answer is there, or the lease is gone, or another's: then they make the call themselves. Where Redis fails, all do.
 */
import { type Clock, pass } from "../core/clock.ts";
import type { Entry } from "./answers.ts";
import type { Link } from "./link.ts";
import { type Stored, shortHash } from "./stored.ts";
import { FREE, type Turn, type Turns } from "./turns.ts";

export interface LeasedTurnsOptions {
  readonly link: Link;
  readonly stored: Stored;
  readonly clock: Clock;
  /** Never the same twice, on any replica. */
  readonly newToken: () => string;
  /** Told of each answer that was waited for. */
  readonly onFound: (key: string, entry: Entry) => void;
  /** How long Redis may take to tell those who wait: they do so anyway, and the call would cost more. */
  readonly patienceMs: number;
  /** How long a replica that died keeps the others waiting. Default 5 s. */
  readonly leaseMs?: number;
}

/** How long those who wait do so before they look, at first and at last. */
const LOOK_MS = { first: 20, last: 200, growth: 1.5 };

const RENEW = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end";
const RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('UNLINK', KEYS[1]) end";

export class LeasedTurns implements Turns {
  private readonly options: LeasedTurnsOptions;
  private readonly leaseMs: number;

  constructor(options: LeasedTurnsOptions) {
    this.options = options;
    this.leaseMs = options.leaseMs ?? 5_000;
  }

  async take(
    key: string,
    tenant: string,
    isWanted: (entry: Entry) => boolean,
    signal: AbortSignal,
  ): Promise<Turn> {
    const { link, stored, newToken } = this.options;
    if (!link.calm) return FREE;
    const lease = `llmgateway:cache-turn:{${shortHash(tenant)}}:${key}`;
    const token = newToken();
    const command = ["SET", lease, token, "NX", "GET", "PX", String(this.leaseMs)];
    // Both at once: who kept it and let go of the lease before has it there.
    const [taken, found] = await Promise.all([
      link.ask("turn", command, { direction: "write" }),
      stored.look(key, tenant),
    ]);
    const isMine = taken?.reply === null;
    if (found?.entry && isWanted(found.entry)) {
      if (!taken || isMine) this.release(lease, token);
      return this.answered(key, found.entry);
    }
    if (isMine) return this.mine(lease, token);
    if (taken) return this.wait({ key, tenant, lease, holder: String(taken.reply), isWanted, signal });
    // It may have been done all the same.
    this.release(lease, token);
    return FREE;
  }

  private mine(lease: string, token: string): Turn {
    const { clock, link } = this.options;
    const timer = clock.after(this.leaseMs / 3, () => {
      link.send(["EVAL", RENEW, "1", lease, token, String(this.leaseMs)]).catch(() => {});
      timer.refresh();
    });
    return {
      end: () => {
        timer.cancel();
        this.release(lease, token);
      },
    };
  }

  private async wait({ key, tenant, lease, holder, isWanted, signal }: Waiting): Promise<Turn> {
    const { link, stored, clock, patienceMs } = this.options;
    let lookMs = LOOK_MS.first;
    while (true) {
      await passUnless(signal, clock, lookMs);
      lookMs = Math.min(lookMs * LOOK_MS.growth, LOOK_MS.last);
      // The lease first: once it is gone, the answer is there or will not come.
      const [held, found] = await Promise.all([
        link.ask("turn", ["GET", lease], { timeoutMs: patienceMs }),
        stored.look(key, tenant, patienceMs),
      ]);
      if (found?.entry && isWanted(found.entry)) return this.answered(key, found.entry);
      if (!held || !found || String(held.reply) !== holder) return FREE;
    }
  }

  private answered(key: string, entry: Entry): Turn {
    this.options.onFound(key, entry);
    return { entry };
  }

  /** Behind what was kept before, on the same connection. */
  private release(lease: string, token: string): void {
    this.options.link.send(["EVAL", RELEASE, "1", lease, token]).catch(() => {});
  }
}

interface Waiting {
  readonly key: string;
  readonly tenant: string;
  readonly lease: string;
  /** The token of who has the lease. */
  readonly holder: string;
  readonly isWanted: (entry: Entry) => boolean;
  readonly signal: AbortSignal;
}

/** @throws the signal's reason */
async function passUnless(signal: AbortSignal, clock: Clock, delayMs: number): Promise<void> {
  signal.throwIfAborted();
  const left = Promise.withResolvers<void>();
  const leave = () => left.resolve();
  signal.addEventListener("abort", leave, { once: true });
  await Promise.race([pass(clock, delayMs), left.promise]);
  signal.removeEventListener("abort", leave);
  signal.throwIfAborted();
}
