/**
 * What a provider's batch API is to the rest of the gateway: requests go in together, and their replies come out hours
 * later. How calls are gathered, waited for and given up is not its business.
 */
import type { WireBody } from "./dialect.ts";

export interface BatchAdapter {
  /** The most requests that a batch may hold, and the most bytes. */
  readonly maxLines: number;
  readonly maxBytes: number;
  /** One request as the batch holds it. */
  line(customId: string, wire: WireBody): string;
  /**
   * Makes it once: where the answer was lost, the batch is looked for among the provider's.
   *
   * @returns the batch's id
   * @throws Failure; one that may have been paid when it may have been made all the same
   */
  create(lines: readonly string[]): Promise<string>;
  /** @throws Failure when it cannot be learnt now */
  poll(id: string): Promise<BatchState>;
  /**
   * Of a batch that is over, in any order. What was never served may be missing.
   *
   * @throws Failure
   */
  results(id: string): AsyncIterable<BatchResult>;
  /**
   * Has the provider serve no more of it, and end it soon.
   *
   * @throws Failure, also where it is over
   */
  cancel(id: string): Promise<void>;
}

export interface BatchState {
  /**
   * `partial` is over, but not all of it was served; `no_room` was not begun, since others take up all that the provider
   * holds at a time; `unknown` to the provider, who may have forgotten it.
   */
  readonly state: "running" | "complete" | "partial" | "no_room" | "unknown";
  /** How many requests it holds; undefined when the provider does not say. */
  readonly lines: number | undefined;
  /** In the provider's words. */
  readonly reason: string;
}

/** What became of one request. */
export type BatchResult = { readonly customId: string } & (LineReply | Unserved);

/** As the reply to the request alone would have been. */
export interface LineReply {
  readonly status: number;
  readonly body: string;
}

/** Nothing is charged for it. */
export interface Unserved {
  /** Why, in the provider's words. */
  readonly unserved: string;
}
