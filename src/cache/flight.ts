/**
 * One reply that several read, each at its own pace: who is behind gets what was read before, and who is not has more
 * read. It goes on for as long as anybody waits for it. It does not know who they are, or what they asked for.
 */
import type { Clock } from "../core/clock.ts";
import { Failure } from "../core/failure.ts";
import type { Batch, Reply } from "../core/reply.ts";
import { Heard } from "./heard.ts";
import { sizeOf } from "./size.ts";

export interface FlightMeans {
  /** Makes the call that is shared; the signal ends it. */
  begin(signal: AbortSignal): Promise<Reply>;
  /** Most bytes that are kept of the reply for who reads later. */
  readonly maxBytes: number;
  readonly clock: Clock;
  /**
   * Told of each batch before anybody is given it.
   *
   * @param atMs since the first
   */
  took(batch: Batch, atMs: number): void;
  /** Told once nobody can join any more. */
  closed(): void;
}

/** Somebody's place in it. */
export interface Waiter {
  /**
   * The first resolves once the call has committed. Its events belong to all: they must not be changed.
   *
   * @returns undefined behind the last
   * @throws whatever the call failed with; the signal's reason; or a Failure `slow_reader`
   */
  next(): Promise<Batch | undefined>;
  /** Wants no more. Resolves once the call has ended, when nobody else waits for it. May be called again. */
  leave(): Promise<void>;
}

export class Flight {
  private readonly means: FlightMeans;
  private readonly controller = new AbortController();
  private readonly ended = Promise.withResolvers<void>();
  private readonly places = new Set<Place>();
  /** Of those, who have not left: the last to leave stays to hear how the call ends. */
  private present = 0;
  private readonly log: { readonly batch: Batch; readonly bytes: number }[] = [];
  /** Batches that all have read. */
  private dropped = 0;
  private readonly heard = new Heard();
  private logged = 0;
  private beganMs: number | undefined;
  private upstream: AsyncIterator<Batch> | undefined;
  private begun = false;
  private reading = false;
  private joinable = true;
  /** How the call ended, for who has read all. */
  end: { readonly error?: unknown } | undefined;

  constructor(means: FlightMeans) {
    this.means = means;
  }

  /** Whether nothing more will come of the call, its attempts included; `over` resolves then. */
  get isOver(): boolean {
    return this.end !== undefined;
  }

  get over(): Promise<void> {
    return this.ended.promise;
  }

  /** How many wait. */
  get waiting(): number {
    return this.present;
  }

  /** Of the reply, as many as are kept. */
  get keptBytes(): number {
    return this.logged + this.heard.bytes;
  }

  /**
   * The first begins the call; whoever comes later reads from the start.
   *
   * @param signal ends the wait, and no other's
   * @returns undefined when it is too late for that
   */
  join(signal: AbortSignal): Waiter | undefined {
    if (!this.joinable) return undefined;
    const place = new Place(this, signal, this.heard.told(), this.dropped);
    this.places.add(place);
    this.present++;
    place.watch();
    if (!this.begun) void this.begin();
    return place;
  }

  /** What stands there in the reply; undefined when that was not read yet. */
  at(position: number): Batch | undefined {
    return this.log[position - this.dropped]?.batch;
  }

  /** Reads one batch more, for all who want one. */
  async read(): Promise<void> {
    if (!this.upstream || this.reading || this.end) return;
    this.reading = true;
    if (this.trim() > this.means.maxBytes) await this.leaveBehind();
    try {
      const { done, value } = await this.upstream.next();
      this.reading = false;
      if (done) this.finish({});
      else this.take(value);
    } catch (error) {
      this.finish({ error });
    }
  }

  /** One that wants no more of it; the last ends the call. */
  async left(place: Place): Promise<void> {
    this.depart(place);
    this.places.delete(place);
    if (this.places.size > 0 || this.end) return;
    if (this.reading || !this.upstream) this.controller.abort(unread());
    else await this.dismiss(this.upstream);
    await this.over;
  }

  /** One that must leave: the last hears how the call ends by that, the others hear why they had to. */
  expel(place: Place, reason: unknown): void {
    if (this.depart(place) && !this.end) this.controller.abort(reason);
    else {
      this.places.delete(place);
      place.fail(reason);
    }
  }

  /** Whether it was the last. */
  private depart(place: Place): boolean {
    if (!place.present) return false;
    place.present = false;
    this.present--;
    if (this.present > 0) return false;
    this.close();
    return true;
  }

  private async begin(): Promise<void> {
    this.begun = true;
    try {
      const reply = await this.means.begin(this.controller.signal);
      this.upstream = reply.events[Symbol.asyncIterator]();
    } catch (error) {
      this.finish({ error });
      return;
    }
    // The call may not have minded that everybody left.
    if (this.places.size === 0) await this.dismiss(this.upstream);
    else await this.read();
  }

  private async dismiss(upstream: AsyncIterator<Batch>): Promise<void> {
    this.reading = true;
    await upstream.return?.().catch(() => {});
    this.finish({});
  }

  private take(batch: Batch): void {
    const { clock, maxBytes, took } = this.means;
    this.beganMs ??= clock.now();
    const bytes = sizeOf(batch);
    this.log.push({ batch, bytes });
    this.logged += bytes;
    took(batch, clock.now() - this.beganMs);
    if (batch.at(-1)?.done || this.keptBytes > maxBytes) this.close();
    this.serve();
  }

  private finish(end: { readonly error?: unknown }): void {
    if (this.end) return;
    this.end = end;
    this.reading = false;
    this.close();
    this.serve();
    this.ended.resolve();
  }

  private serve(): void {
    for (const place of this.places) place.serve();
  }

  private close(): void {
    if (!this.joinable) return;
    this.joinable = false;
    this.heard.forget();
    this.means.closed();
  }

  /** Lets go of what all have read, but for what it says to who joins. Returns how many bytes there are to be read. */
  private trim(): number {
    let least = this.dropped + this.log.length;
    for (const { position } of this.places) least = Math.min(least, position);
    for (const { batch, bytes } of this.log.splice(0, least - this.dropped)) {
      this.logged -= bytes;
      if (this.joinable) this.heard.add(batch);
    }
    this.dropped = least;
    return this.logged;
  }

  /** Those who are too far behind get no more of it, unless nobody is before them. */
  private async leaveBehind(): Promise<void> {
    // Who only waits for its turn is not slow.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.trim() > this.means.maxBytes && this.present > 1) this.expel(this.slowest(), tooSlow());
  }

  private slowest(): Place {
    const [first, ...others] = [...this.places].filter(({ present }) => present);
    return others.reduce((slow, one) => (one.position < slow.position ? one : slow), first as Place);
  }
}

class Place implements Waiter {
  present = true;
  /** Of what it reads next. */
  position: number;
  /** What all others have read by then. */
  private behind: Batch | undefined;
  private readonly flight: Flight;
  private readonly signal: AbortSignal;
  private wanting: { resolve(batch: Batch | undefined): void; reject(error: unknown): void } | undefined;
  private failure: { readonly error: unknown } | undefined;
  private readonly onAbort = () => {
    this.unwatch();
    this.flight.expel(this, this.signal.reason);
  };

  constructor(flight: Flight, signal: AbortSignal, behind: Batch | undefined, position: number) {
    this.flight = flight;
    this.signal = signal;
    this.behind = behind;
    this.position = position;
  }

  watch(): void {
    if (this.signal.aborted) this.onAbort();
    else this.signal.addEventListener("abort", this.onAbort, { once: true });
  }

  next(): Promise<Batch | undefined> {
    return new Promise((resolve, reject) => {
      this.wanting = { resolve, reject };
      this.serve();
      if (this.wanting) void this.flight.read();
    });
  }

  async leave(): Promise<void> {
    this.unwatch();
    await this.flight.left(this);
  }

  fail(error: unknown): void {
    this.unwatch();
    this.failure = { error };
    this.serve();
  }

  /** Gives it what it wants, where that is there. */
  serve(): void {
    const { wanting, flight } = this;
    if (!wanting) return;
    const batch = this.failure ? undefined : (this.behind ?? flight.at(this.position));
    const end = this.failure ?? (batch ? undefined : flight.end);
    if (!batch && !end) return;
    this.wanting = undefined;
    if (batch) {
      if (this.behind) this.behind = undefined;
      else this.position++;
      wanting.resolve(batch);
    } else if (end && "error" in end) wanting.reject(end.error);
    else wanting.resolve(undefined);
  }

  private unwatch(): void {
    this.signal.removeEventListener("abort", this.onAbort);
  }
}

function unread(): Failure {
  return new Failure("cancelled", "the reply was not read to its end");
}

function tooSlow(): Failure {
  const text =
    "the answer is shared with calls that read it much faster; read faster, or set cache to bypass";
  return new Failure("slow_reader", text);
}
