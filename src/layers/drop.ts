/**
 * Leaves out what a provider's wire format has no place for, where the configuration says so: the provider
 * names what it refuses, and is asked once more without it.
 */
import type { AttemptCall, Layer } from "../core/call.ts";
import { isDroppable, withoutFields } from "../core/droppable.ts";
import { Failure } from "../core/failure.ts";

/** @param drops whether this provider's configuration says so */
export function drop(drops: (provider: string) => boolean): Layer<AttemptCall> {
  return (next) => async (call) => {
    if (!drops(call.target.provider)) return next(call);
    try {
      return await next(call);
    } catch (error) {
      // Of this kind is only what was refused before anything was sent.
      if (!(error instanceof Failure) || error.kind !== "invalid_request") throw error;
      const fields = error.violations.map(({ field }) => field);
      if (fields.length === 0 || !fields.every(isDroppable)) throw error;
      return next({ ...call, request: withoutFields(call.request, fields, call.tally) });
    }
  };
}
