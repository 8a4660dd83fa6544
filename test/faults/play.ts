/** One fault, with policies or without, from the first call to the books that it left behind. */
import type { Books } from "../money/books.ts";
import { type End, makeCalls, receiptsOf } from "./calls.ts";
import type { Fault } from "./faults.ts";
import { SICK, TARGETS, World } from "./world.ts";

/** One attempt at one provider, whatever becomes of it. */
export const NO_POLICIES = { resilience: { circuit_breaker: { enabled: false }, retries: { max: 0 } } };

export const CHAIN = { default: Object.values(TARGETS) };

/** The defaults, with others to ask, second attempts and an eye on streams that crawl; a circuit opens for a second. */
export const ALL_POLICIES = {
  fallback_chains: CHAIN,
  resilience: {
    circuit_breaker: { open_for: "1s" },
    hedging: { enabled: true },
    stream_guard: { min_tokens_per_second: 5, window: "0.5s" },
  },
};

/** What fails by chance fails evenly from the first call on, so that no circuit opens for it. */
const EVEN = 14;

export interface Played {
  readonly ends: readonly End[];
  readonly books: Books;
}

/** A fault and a world for it, in which nothing has happened yet. */
export class Stage implements AsyncDisposable {
  private readonly fault: Fault;
  private readonly elsewhere: AsyncDisposable | undefined;
  private readonly world: World;

  static async set(fault: Fault, config: object): Promise<Stage> {
    const elsewhere = await fault.at?.();
    const sickAt = elsewhere && `${elsewhere.origin}/v1`;
    const world = await World.start({ config, sickAt, emulators: { seed: EVEN } });
    return new Stage(fault, elsewhere, world);
  }

  private constructor(fault: Fault, elsewhere: AsyncDisposable | undefined, world: World) {
    this.fault = fault;
    this.elsewhere = elsewhere;
    this.world = world;
  }

  async play(count: number): Promise<Played> {
    const { fault, world } = this;
    await fault.strike?.(world);
    const ends = await makeCalls(world.url, { count, atOnce: 12, model: () => TARGETS[SICK] });
    await fault.heal?.(world);
    return { ends, books: await world.books(receiptsOf(ends)) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.world[Symbol.asyncDispose]();
    await this.elsewhere?.[Symbol.asyncDispose]();
  }
}
