/** Asks for the whole answer at once where a run of a job would stream and the model cannot, or where streams are not counted. */
import type { Layer, RoutedCall, Target } from "../core/call.ts";

/** @param streams whether a stream of it says as much as a whole answer */
export function whole(streams: (target: Target) => boolean): Layer<RoutedCall> {
  return (next) => (call) =>
    // Others asked for a stream themselves, and are told when they cannot have it.
    next(call.context.protocol === "job" && !streams(call.target) ? { ...call, streaming: false } : call);
}
