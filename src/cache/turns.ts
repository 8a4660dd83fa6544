/**
 * Who makes a call that several replicas want at once: one of them, and the others are given its answer. It does not
 * know how that call is made.
 */
import type { Entry } from "./answers.ts";

/** The answer of the other, or leave to make the call. */
export type Turn =
  | { readonly entry: Entry }
  | {
      readonly entry?: undefined;
      /** To be called once the call is over, and its answer kept if it was: others wait for that. */
      end(): void;
    };

export interface Turns {
  /**
   * Waits while another makes the call. Where nobody can say whether one does, it is made.
   *
   * @param isWanted whether an answer that is there already, or comes, is one for this call
   * @param signal ends the waiting
   * @throws the signal's reason
   */
  take(key: string, tenant: string, isWanted: (entry: Entry) => boolean, signal: AbortSignal): Promise<Turn>;
}

/** For what knows of no other replicas. */
export const FREE: Turn = { end: () => {} };
