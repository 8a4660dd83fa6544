/**
 * What is kept of answered requests, so that after a restart they are known again by what they mean. It knows neither
 * what makes two of them alike nor databases.
 */
import type { Target } from "./call.ts";
import type { PicoUsd } from "./money.ts";

export interface KnownRow extends Target {
  /** The request's, under which its answer is kept. */
  readonly key: string;
  /** All of the request but its text. */
  readonly frame: string;
  /** What it said, from which it is judged anew, since the rules for that may have changed. */
  readonly text: string;
  /** Numbers of 32 bits, the lowest byte first. */
  readonly vector: Uint8Array;
  readonly tenant: string;
  readonly family: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly requestId: string;
  readonly storedAtMs: number;
  readonly expiresAtMs: number;
  /** What the answer cost; undefined when that is not known. */
  readonly costPicoUsd: PicoUsd | undefined;
  /** The answer. */
  readonly events: Uint8Array;
}

/** Which rows are meant; what is absent is not asked for. */
export interface WhichKnown {
  readonly tenant?: string;
  /** Those that were asked of it, and those that it gave, as `provider/model`. */
  readonly family?: string;
  readonly tag?: { readonly key: string; readonly value: string };
}

export interface KnownStore {
  /** In the place of what was kept under the same key. */
  keep(row: KnownRow): Promise<void>;
  /** Those that are still good, the newest of them, the oldest first. */
  load(nowMs: number, limit: number): Promise<KnownRow[]>;
  clear(which: WhichKnown): Promise<void>;
  /** Deletes what is no longer good, and the oldest beyond so many. */
  sweep(nowMs: number, limit: number): Promise<void>;
}
