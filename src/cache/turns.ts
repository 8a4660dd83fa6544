/**
 * Who makes a call that several replicas want at once: one of them, and the others are given its answer. It does not
 * know how that call is made.
 */
import type { Reply } from "../core/reply.ts";
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

/** Leave that nobody waits for. */
export const FREE: Turn = { end: () => {} };

/** Of a gateway that knows of no others. */
export const ALONE: Turns = { take: async () => FREE };

/** Makes the call, and ends the turn once its reply was read, failed, or is read no further. */
export async function during({ end }: { end(): void }, call: () => Promise<Reply>): Promise<Reply> {
  try {
    const reply = await call();
    return {
      ...reply,
      events: { [Symbol.asyncIterator]: () => ending(reply.events[Symbol.asyncIterator](), end) },
    };
  } catch (error) {
    end();
    throw error;
  }
}

/** No generator, since one that was never begun would not hear that nobody reads it. */
function ending<T>(events: AsyncIterator<T>, end: () => void): AsyncIterator<T> {
  return {
    async next() {
      try {
        const result = await events.next();
        if (result.done) end();
        return result;
      } catch (error) {
        end();
        throw error;
      }
    },
    async return() {
      try {
        await events.return?.();
      } finally {
        end();
      }
      return { done: true, value: undefined };
    },
  };
}
