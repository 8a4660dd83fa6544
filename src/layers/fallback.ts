/**
 * Asks one target after the other until one serves: the next only where another may cure what failed, and only
 * before the caller has seen anything.
 */
import type { Layer, PlannedCall, RoutedCall, Target, Trigger } from "../core/call.ts";
import { type Failure, toFailure } from "../core/failure.ts";

export function fallback(): Layer<PlannedCall, RoutedCall> {
  return (next) => async (call) => {
    const { targets } = call;
    const [first, ...others] = targets;
    if (others.length === 0) return next(routed(call, first, "first", NOBODY));
    for (let index = 0; index < targets.length - 1; index++) {
      const target = targets[index] ?? first;
      try {
        return await next(routed(call, target, index === 0 ? "first" : "fallback", targets.slice(index + 1)));
      } catch (error) {
        if (!curable(toFailure(error), call)) throw error;
      }
    }
    return next(routed(call, targets.at(-1) ?? first, "fallback", NOBODY));
  };
}

const NOBODY: readonly Target[] = [];

function routed(
  call: PlannedCall,
  target: Target,
  trigger: Trigger,
  alternatives: readonly Target[],
): RoutedCall {
  return { ...call, target, trigger, alternatives };
}

/** Whether somebody else may serve it, and there is still somebody to serve. */
function curable({ traits, suspended }: Failure, { signal }: PlannedCall): boolean {
  return traits.elsewhere && !suspended && !signal.aborted;
}
