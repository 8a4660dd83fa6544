/** Where answers are kept: in this process, or in one that replicas share. It does not judge what may be kept. */
import type { Target } from "../core/call.ts";
import type { Answer } from "./answer.ts";

/** What is known of an answer beside itself, to find it by and to count it. */
export interface Label {
  readonly tenant: string;
  /** Of which model or alias it is an answer, as requests name it. */
  readonly family: string;
  /** The request's own. */
  readonly tags: Readonly<Record<string, string>>;
}

export interface Entry extends Label {
  readonly answer: Answer;
  /** In milliseconds since the epoch. */
  readonly expiresAtMs: number;
  /** About as many as it takes in memory. */
  readonly bytes: number;
}

/** As much of an entry as clears ask for. */
export interface Told extends Label {
  readonly answer: Target;
}

/** Which answers are meant; what is absent is not asked for. */
export interface Which {
  readonly tenant?: string;
  /** Those that were asked of it, and those that it gave, as `provider/model`, whoever was asked. */
  readonly family?: string;
  readonly tag?: { readonly key: string; readonly value: string };
}

export interface Answers {
  /**
   * Undefined when there is none that is still good. Never rejects.
   *
   * @param tenant whose it is
   */
  find(key: string, tenant: string): Entry | undefined | Promise<Entry | undefined>;
  /** What `find` would give without asking anybody. That it was looked for counts for nothing. */
  atHand(key: string): Entry | undefined;
  /** Takes it in, and lets others go for it. Never throws: what cannot be kept is not kept. */
  keep(key: string, entry: Entry): void;
  /** Takes in what was kept before the process began, unless it was cleared since. */
  restore(key: string, entry: Entry): void;
  /** Lets go of those that are meant; resolves to how many there were here. */
  clear(which: Which): Promise<number>;
  /** How many clears were heard of until now: what is to be kept later was begun then. */
  readonly clears: number;
  /** Whether one of the clears since then means it. */
  isCleared(told: Told, since: number): boolean;
}

/** What is kept in this process, and what it let go of. */
export interface Figures {
  readonly entries: number;
  readonly bytes: number;
  readonly maxEntries: number;
  readonly maxBytes: number;
  readonly evictions: Readonly<Record<Eviction, number>>;
  /** When the oldest answer was given, in milliseconds since the epoch; undefined when there is none. */
  readonly oldestAtMs: number | undefined;
  readonly newestAtMs: number | undefined;
  /** By who gave them, as `provider/model`. */
  readonly models: ReadonlyMap<string, { readonly entries: number; readonly bytes: number }>;
}

/** Why an answer was let go of. */
export type Eviction = "expired" | "entries" | "bytes" | "replaced" | "cleared";

export interface Figured {
  figures(): Figures;
}
