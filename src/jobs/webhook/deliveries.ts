/**
 * Takes webhooks that are due out of the outbox and has each tried: so many at a time, and none to a host that is to
 * be left alone. It knows neither what they say nor how they are sent.
 */
import { type Clock, pass, type Timer } from "../../core/clock.ts";
import type { DeliveryRecord, Outbox, WebhookRecord } from "../../core/outbox.ts";
import type { Resolve } from "../../wire/destination.ts";
import type { WebhookRules } from "./allow.ts";
import { attempt, type Tried } from "./attempt.ts";
import { createBreaker } from "./breaker.ts";

export interface Deliveries {
  /** Looks at once for webhooks that are due. */
  wake(): void;
  /** Takes no more, and resolves when the tries under way have ended; those that take too long are aborted. */
  close(): Promise<void>;
}

export interface DeliveriesOptions {
  readonly outbox: Pick<Outbox, "take" | "settle">;
  /** The body, as JSON; undefined when the job is forgotten. A rejection is told, and tried again. */
  render(webhook: WebhookRecord): Promise<string | undefined>;
  /** Asked anew for each try. */
  rules(): WebhookRules;
  readonly resolve: Resolve;
  readonly clock: Clock;
  /** Draws from 0 up to 1. */
  random(): number;
  /** How long `close` lets tries go on. */
  readonly graceMs: number;
  /** Told of each try, before it is kept. */
  onAttempt(attempt: Attempted): void;
  /** Told of each failure of the outbox and of `render`. What failed is tried again. */
  onError(error: unknown): void;
}

export interface Attempted {
  readonly webhook: WebhookRecord;
  readonly delivery: DeliveryRecord;
  readonly outcome: "delivered" | "retry" | "failed";
  /** From the end of the job until now. */
  readonly lagMs: number;
}

const POLL_MS = 1_000;
/** To all hosts together. */
const MAX_CONCURRENT = 200;
/** Beyond the receiver's time, for the body to be read and the outcome to be kept. */
const LEASE_MARGIN_MS = 20_000;
const SETTLE_TRIES = 6;
const SETTLE_AGAIN_MS = 250;

export function createDeliveries(options: DeliveriesOptions): Deliveries {
  const deliveries = new PollingDeliveries(options);
  deliveries.wake();
  return deliveries;
}

class PollingDeliveries implements Deliveries {
  private readonly options: DeliveriesOptions;
  private readonly breaker;
  private readonly abort = new AbortController();
  private readonly underWay = new Set<Promise<void>>();
  private readonly runningByHost = new Map<string, number>();
  private timer: Timer | undefined;
  private looking: Promise<void> | undefined;
  private wanted = false;
  /** Something that is due may have been left because of what is under way. */
  private held = false;
  private closing = false;

  constructor(options: DeliveriesOptions) {
    this.options = options;
    this.breaker = createBreaker(options.clock, options.random);
  }

  wake(): void {
    this.wanted = true;
    if (!this.closing) this.looking ??= this.look();
  }

  async close(): Promise<void> {
    this.closing = true;
    this.timer?.cancel();
    const grace = this.options.clock.after(this.options.graceMs, () => this.abort.abort());
    await this.looking;
    await Promise.all(this.underWay);
    grace.cancel();
  }

  private async look(): Promise<void> {
    this.timer?.cancel();
    while (this.wanted && !this.closing) {
      this.wanted = false;
      try {
        while (!this.closing && (await this.takeSome()));
      } catch (error) {
        this.options.onError(error);
      }
    }
    this.looking = undefined;
    if (!this.closing) this.timer = this.options.clock.after(POLL_MS, () => this.wake());
  }

  /** Whether there may be more. */
  private async takeSome(): Promise<boolean> {
    const { outbox, rules, clock } = this.options;
    const { maxConcurrentPerHost, timeoutMs } = rules();
    const { limit, exceptHosts } = this.room(maxConcurrentPerHost);
    if (limit === 0) return false;
    const taken = await outbox.take(limit, clock.now(), timeoutMs + LEASE_MARGIN_MS, exceptHosts);
    for (const webhook of taken) this.start(webhook);
    return taken.length === limit;
  }

  /** All that is taken may be for one host: so no more than any host has room for that is not left out. */
  private room(perHost: number): { readonly limit: number; readonly exceptHosts: readonly string[] } {
    const { breaker, runningByHost } = this;
    const except = new Set(breaker.open());
    let limit = Math.min(perHost, MAX_CONCURRENT - this.underWay.size);
    this.held = limit === 0;
    for (const host of new Set([...breaker.probes(), ...runningByHost.keys()])) {
      const most = breaker.stateOf(host) === "closed" ? perHost : 1;
      const free = most - (runningByHost.get(host) ?? 0);
      if (free > 0) limit = Math.min(limit, free);
      else {
        except.add(host);
        this.held = true;
      }
    }
    return { limit, exceptHosts: [...except] };
  }

  private start(webhook: WebhookRecord): void {
    const host = URL.parse(webhook.url)?.host ?? "";
    this.runningByHost.set(host, (this.runningByHost.get(host) ?? 0) + 1);
    const run = this.deliver(webhook, host).finally(() => {
      this.underWay.delete(run);
      const others = (this.runningByHost.get(host) ?? 1) - 1;
      if (others > 0) this.runningByHost.set(host, others);
      else this.runningByHost.delete(host);
      if (this.held) this.wake();
    });
    this.underWay.add(run);
  }

  private async deliver(webhook: WebhookRecord, host: string): Promise<void> {
    const { options, breaker } = this;
    const { clock } = options;
    const tried = await attempt(webhook, {
      ...options,
      rules: options.rules(),
      signal: this.abort.signal,
      hostFails: breaker.stateOf(host) !== "closed",
    });
    if (tried.hostAnswers === true) breaker.succeeded(host);
    if (tried.hostAnswers === false) breaker.failed(host);
    const { delivery, after } = tried;
    const outcome = after.state === "pending" ? "retry" : after.state;
    options.onAttempt({ webhook, delivery, outcome, lagMs: clock.now() - webhook.createdAtMs });
    await this.settle(tried);
  }

  /** What cannot be kept at last is tried again when its lease has run out. */
  private async settle({ delivery, after }: Tried): Promise<void> {
    const { outbox, clock, onError } = this.options;
    for (let tries = 1; ; tries++) {
      try {
        return await outbox.settle(delivery, after);
      } catch (error) {
        onError(error);
      }
      if (tries === SETTLE_TRIES) return;
      await pass(clock, SETTLE_AGAIN_MS * 2 ** (tries - 1));
    }
  }
}
