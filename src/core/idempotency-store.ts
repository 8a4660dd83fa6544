/**
 * What is kept under the keys by which callers have a call made once, and what is asked of a durable store for that.
 * It knows neither requests nor databases.
 */
import type { Target } from "./call.ts";
import type { FailureKind } from "./failure.ts";
import type { Owner } from "./job-store.ts";
import type { PicoUsd } from "./money.ts";

/** A key, by who may use it: another's same key is another one. */
export interface KeyName extends Owner {
  readonly key: string;
}

/** A call that is made under a key. */
export interface KeyHolder {
  /** The gateway's own id of it: the fence. */
  readonly callId: string;
  /** By which its caller knows it. */
  readonly requestId: string;
  /** Of what was asked for. */
  readonly fingerprint: string;
}

/** What a call came to. */
export type KeyEnd = { readonly atMs: number } & (
  | { readonly answer: KeptAnswer; readonly failure?: undefined }
  | { readonly failure: KeptFailure; readonly answer?: undefined }
);

export interface KeptAnswer extends Target {
  /** Its events in Protobuf's binary form, each behind its size. */
  readonly events: Uint8Array;
  /** Undefined when that is not known. */
  readonly costPicoUsd: PicoUsd | undefined;
}

export interface KeptFailure {
  readonly kind: FailureKind;
  readonly message: string;
}

/** What there is under a key. */
export type Claimed =
  /** The key is the caller's from now on. */
  | { readonly state: "taken" }
  /** `here` is by this process; `lost` was under way when its process ended. */
  | (KeyHolder & { readonly state: "here" | "elsewhere" | "lost" })
  | (KeyHolder & { readonly state: "ended"; readonly end: KeyEnd });

export interface IdempotencyStore {
  /**
   * Takes the key, unless it is another call's. Outlasts the system once it resolves. A key whose time is over is free,
   * unless its call is under way.
   */
  claim(name: KeyName, holder: KeyHolder, nowMs: number, expiresAtMs: number): Promise<Claimed>;
  /** Keeps what the call came to, if the key is still its own. */
  finish(name: KeyName, callId: string, end: KeyEnd, expiresAtMs: number): Promise<void>;
  /** Gives the key back, if it is still the call's own. */
  free(name: KeyName, callId: string): Promise<void>;
  /** Forgets what is over, and what calls of dead processes left when its time is over. */
  sweep(nowMs: number): Promise<void>;
}
