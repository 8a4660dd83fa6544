/**
 * Leaves hosts alone that do not answer, whatever webhooks there are for them, and has one try find out whether they
 * do again. It counts what it is told, and knows no webhook.
 */
import { LRUMapWithDelete } from "mnemonist";
import type { Clock } from "../../core/clock.ts";

export interface Breaker {
  /**
   * `closed` for a host that answers, `probe` for one that failed and may be tried once, `open` for one that may not.
   */
  stateOf(host: string): "closed" | "probe" | "open";
  failed(host: string): void;
  succeeded(host: string): void;
  /** Those that are to be left alone now. */
  open(): string[];
  /** Those that may be tried once. */
  probes(): string[];
}

/** Failures one after the other. */
const TOLERATED = 5;
const PAUSE_MS = { least: 15_000, most: 10 * 60_000 };
const JITTER = 0.2;
/** Of failing hosts so many are remembered; a callback URL may name any host below an allowed one. */
const MAX_HOSTS = 1_000;

interface Failing {
  failures: number;
  /** How often it was opened. */
  pauses: number;
  openUntilMs: number;
}

/** @param random draws from 0 up to 1 */
export function createBreaker(clock: Clock, random: () => number): Breaker {
  const hosts = new LRUMapWithDelete<string, Failing>(MAX_HOSTS);
  const stateOf = ({ failures, openUntilMs }: Failing) => {
    if (failures < TOLERATED) return "closed";
    return clock.now() < openUntilMs ? "open" : "probe";
  };
  const inState = (wanted: "open" | "probe") =>
    [...hosts.entries()].flatMap(([host, failing]) => (stateOf(failing) === wanted ? [host] : []));
  return {
    stateOf(host) {
      const failing = hosts.peek(host);
      return failing ? stateOf(failing) : "closed";
    },
    failed(host) {
      const failing = hosts.get(host) ?? { failures: 0, pauses: 0, openUntilMs: 0 };
      hosts.set(host, failing);
      // Others that were under way when it opened say nothing new.
      if (stateOf(failing) === "open") return;
      failing.failures++;
      if (failing.failures < TOLERATED) return;
      const pauseMs = Math.min(PAUSE_MS.least * 2 ** failing.pauses, PAUSE_MS.most);
      failing.pauses++;
      failing.openUntilMs = clock.now() + pauseMs * (1 + JITTER * random());
    },
    succeeded: (host) => void hosts.delete(host),
    open: () => inState("open"),
    probes: () => inState("probe"),
  };
}
