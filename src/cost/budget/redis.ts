/**
 * Counts that gateways share on Redis, in whole nano-USD rounded up. When Redis is away, what a hard budget is about
 * cannot be reserved, and what is settled waits. How Redis counts is in its script.
 */
import { randomUUID } from "node:crypto";
import { type PicoUsd, ZERO } from "../../core/money.ts";
import { type Redis, RedisAway } from "../../wire/redis.ts";
import type { Reservation } from "./budgets.ts";
import {
  type Amounts,
  type Counter,
  type Counters,
  type CreateCounters,
  type Figures,
  type Outcome,
  SHARES,
  type Surroundings,
  unavailable,
} from "./counters.ts";
import { Leases } from "./leases.ts";
import { RemoteScript } from "./remote.ts";
import { Settlements } from "./settlements.ts";

export interface RedisCountersOptions {
  readonly redis: Redis;
  /** How long a reservation outlives a gateway that does not renew it. Default 30 s. */
  readonly leaseMs?: number;
}

/** Beyond so many the figures of the oldest are forgotten here; they are in Redis. */
const MAX_KNOWN = 10_000;
/** What was reserved so long before a counter was loaded is in the ledger for sure. */
const MARGIN_MS = 10_000;
/** Loads of what is absent, in case that Redis loses its memory again between. */
const MAX_LOADS = 3;

export function redisCounters({ redis, leaseMs = 30_000 }: RedisCountersOptions): CreateCounters {
  return (surroundings) => new RedisCounters(redis, leaseMs, surroundings);
}

interface Settle {
  readonly id: string;
  readonly counters: readonly Counter[];
  readonly spent: PicoUsd;
  readonly madeMs: number;
}

class RedisCounters implements Counters {
  readonly shared = true;
  readonly leaseMs: number;
  readonly clock: Surroundings["clock"];
  readonly leases: Leases;
  private readonly surroundings: Surroundings;
  private readonly script: RemoteScript;
  private readonly settlements: Settlements<Settle>;
  private readonly known = new Map<string, Figures>();
  private readonly loading = new Map<string, Promise<number>>();

  constructor(redis: Redis, leaseMs: number, surroundings: Surroundings) {
    this.leaseMs = leaseMs;
    this.surroundings = surroundings;
    this.clock = surroundings.clock;
    this.script = new RemoteScript(redis);
    this.leases = new Leases(this.clock, leaseMs, (open) =>
      this.script.run("renew", "", [], { open, lease: leaseMs }),
    );
    this.settlements = new Settlements(this.clock, (one) => this.tell(one));
  }

  async reserve(counters: readonly Counter[], amounts: Amounts, last: boolean): Promise<Outcome> {
    const id = randomUUID();
    const hold = new Hold(this, id, counters);
    try {
      return await this.ask(hold, amounts, last);
    } catch (cause) {
      if (counters.some(({ hard }) => hard)) {
        // What was sent may be done all the same.
        if (!(cause instanceof RedisAway)) hold.settle(ZERO);
        throw unavailable(counters, cause);
      }
      // What soft budgets are about is spent without their leave, and counted when it is settled.
      hold.granted = amounts.most;
      return { reservation: hold };
    }
  }

  async read(counters: readonly Counter[]): Promise<readonly Figures[]> {
    const [, figures] = await this.script.run("look", "", keysOf(counters), {
      counters: counters.map(limitOf),
    });
    const amounts = figures as (string | null)[];
    return Promise.all(
      counters.map(async (counter, i) => {
        const [spent, reserved] = amounts.slice(2 * i);
        if (spent && reserved) return { counter, spent: pico(spent), reserved: pico(reserved) };
        // Nobody has asked for it yet.
        const before = await this.surroundings.spentSince(counter.filter, counter.windowStartMs);
        return { counter, spent: before, reserved: ZERO };
      }),
    );
  }

  *snapshot(): Iterable<Figures> {
    const now = this.clock.now();
    for (const figures of this.known.values()) if (figures.counter.windowEndMs > now) yield figures;
  }

  async close(): Promise<void> {
    this.leases.close();
    await this.settlements.close();
  }

  async extend({ id, counters, granted }: Hold, most: PicoUsd): Promise<PicoUsd> {
    // Where Redis does not answer, or holds nothing for it any more or yet.
    const unheld = counters.some(({ hard }) => hard) ? granted : most;
    try {
      const input = { counters: counters.map(limitOf), most: nano(most) };
      const [verdict, amount, figures] = await this.script.run("extend", id, keysOf(counters), input);
      if (verdict !== "granted") return unheld;
      this.learn(counters, figures);
      return atMost(amount, most);
    } catch {
      return unheld;
    }
  }

  settle(hold: Hold, spent: PicoUsd): void {
    const { id, counters, madeMs } = hold;
    this.leases.drop(this.script.keyOf(id));
    this.settlements.add(id, { id, counters, spent, madeMs });
  }

  private async ask(hold: Hold, amounts: Amounts, last: boolean): Promise<Outcome> {
    const { id, counters } = hold;
    const asked: (ReturnType<typeof limitOf> & { init?: number; ends?: number })[] = counters.map(limitOf);
    const input = {
      id,
      last,
      least: nano(amounts.least),
      wanted: nano(amounts.wanted),
      most: nano(amounts.most),
      shares: Number(SHARES),
      lease: this.leaseMs,
      counters: asked,
      epoch: "",
    };
    for (let loads = 0; loads <= MAX_LOADS; loads++) {
      const reply = await this.script.run("reserve", id, keysOf(counters), input);
      if (reply[0] !== "absent") return this.outcomeOf(reply, hold, amounts);
      input.epoch = String(reply[1]);
      for (const position of reply[2] as number[]) {
        const counter = counters[position - 1];
        const one = asked[position - 1];
        if (!counter || !one) continue;
        one.init = await this.load(counter, input.epoch);
        one.ends = counter.windowEndMs;
      }
    }
    throw new Error("Redis loses the counters as soon as they are there");
  }

  private outcomeOf(reply: readonly unknown[], hold: Hold, amounts: Amounts): Outcome {
    const { counters, id } = hold;
    const [verdict, detail, figures] = reply;
    if (verdict === "over") throw new Error("Redis has settled this reservation before it was made");
    this.learn(counters, figures);
    if (verdict === "granted") {
      hold.granted = atMost(detail, amounts.most);
      this.leases.add(this.script.keyOf(id));
      return { reservation: hold };
    }
    const counter = counters[Number(detail) - 1];
    if (!counter) throw new Error("Redis names a counter that was not asked");
    if (verdict === "short") return { short: counter };
    const [spent, reserved] = (figures as string[]).slice(2 * Number(detail) - 2);
    return { exceeded: { counter, spent: pico(spent), reserved: pico(reserved) } };
  }

  /** One load for all who wait, of those that belong to the same life of Redis. */
  private load(counter: Counter, epoch: string): Promise<number> {
    const key = `${epoch} ${counter.key}`;
    const underWay = this.loading.get(key);
    if (underWay) return underWay;
    const load = this.surroundings
      .spentSince(counter.filter, counter.windowStartMs)
      .then(nano)
      .finally(() => this.loading.delete(key));
    this.loading.set(key, load);
    return load;
  }

  private async tell({ id, counters, spent, madeMs }: Settle): Promise<void> {
    const input = {
      id,
      spent: nano(spent),
      made: madeMs,
      margin: MARGIN_MS,
      counters: counters.map(({ thresholds }) => ({
        thresholds: thresholds.map(({ ratio, amount }) => [ratio, nano(amount)]),
      })),
    };
    const [verdict, figures, crossed] = await this.script.run("settle", id, keysOf(counters), input);
    if (verdict !== "settled") return;
    this.learn(counters, figures);
    for (const [i = 0, j = 0] of crossed as number[][]) {
      const counter = counters[i - 1];
      const known = counter && this.known.get(counter.key);
      const threshold = counter?.thresholds[j - 1];
      if (known && threshold) this.surroundings.onThreshold(known, threshold.ratio);
    }
    this.surroundings.onFreed(counters);
  }

  private learn(counters: readonly Counter[], figures: unknown): void {
    const amounts = figures as (string | null)[];
    for (const [i, counter] of counters.entries()) {
      const [spent, reserved] = amounts.slice(2 * i);
      if (!spent || !reserved) continue;
      this.known.delete(counter.key);
      this.known.set(counter.key, { counter, spent: pico(spent), reserved: pico(reserved) });
    }
    for (const key of this.known.keys()) {
      if (this.known.size <= MAX_KNOWN) return;
      this.known.delete(key);
    }
  }
}

class Hold implements Reservation {
  granted: PicoUsd = ZERO;
  readonly id: string;
  readonly counters: readonly Counter[];
  readonly madeMs: number;
  private readonly owner: RedisCounters;
  private settled = false;

  constructor(owner: RedisCounters, id: string, counters: readonly Counter[]) {
    this.owner = owner;
    this.id = id;
    this.counters = counters;
    this.madeMs = owner.clock.now();
  }

  async extend(most: PicoUsd): Promise<PicoUsd> {
    if (this.settled || most <= this.granted) return this.granted;
    const granted = await this.owner.extend(this, most);
    if (granted > this.granted) this.granted = granted;
    return this.granted;
  }

  settle(spent: PicoUsd): void {
    if (this.settled) return;
    this.settled = true;
    this.owner.settle(this, spent);
  }
}

function keysOf(counters: readonly Counter[]): string[] {
  return counters.map(({ key }) => key);
}

/** Rounded down where it is a limit, so that it is never exceeded. */
function limitOf({ limit, hard }: Counter) {
  return { hard, limit: Number(limit / PICO_PER_NANO) };
}

const PICO_PER_NANO = 1_000n;

function nano(amount: PicoUsd): number {
  return Number((amount + PICO_PER_NANO - 1n) / PICO_PER_NANO);
}

function pico(nanos: unknown): PicoUsd {
  return (BigInt(String(nanos)) * PICO_PER_NANO) as PicoUsd;
}

/** What was rounded up is no more than was asked. */
function atMost(nanos: unknown, most: PicoUsd): PicoUsd {
  const granted = pico(nanos);
  return granted < most ? granted : most;
}
