/** Ends streams that crawl, which go on too often for an idle timeout. A slow reader's time is not counted. */
import { Bounded } from "../core/bounded.ts";
import type { Layer, RoutedCall, Service, Target } from "../core/call.ts";
import type { Clock } from "../core/clock.ts";
import { Failure } from "../core/failure.ts";
import type { Batch, Reply } from "../core/reply.ts";
import { estimateTextTokens } from "../core/tokens.ts";
import { textOf } from "../cost/answer.ts";
import { Pace, type PaceRule } from "../resilience/pace.ts";

/** @param ruleOf undefined where streams may be as slow as they like */
export function guard(ruleOf: (target: Target) => PaceRule | undefined, clock: Clock): Layer<RoutedCall> {
  return (next) => (call) => {
    const rule = call.streaming ? ruleOf(call.target) : undefined;
    return rule ? guarded(call, rule, next, clock) : next(call);
  };
}

async function guarded(
  call: RoutedCall,
  rule: PaceRule,
  next: Service<RoutedCall>,
  clock: Clock,
): Promise<Reply> {
  const bounded = new Bounded(call.signal, clock);
  try {
    const reply = await next({ ...call, signal: bounded.signal });
    return { ...reply, events: watch(reply.events, bounded, rule, call.target, clock) };
  } catch (error) {
    bounded.end();
    throw error;
  }
}

async function* watch(
  events: AsyncIterable<Batch>,
  bounded: Bounded,
  rule: PaceRule,
  { provider }: Target,
  clock: Clock,
): AsyncGenerator<Batch> {
  const pace = new Pace(clock, rule);
  const { minTokensPerSecond, windowMs } = rule;
  const tooSlow = () =>
    new Failure(
      "stream_too_slow",
      `${provider} wrote fewer than ${minTokensPerSecond} tokens a second for ${windowMs} ms`,
    );
  const judge = () => {
    if (pace.crawls) bounded.abort(tooSlow());
  };
  // It looks again a window later, whatever came in between: a stream that has stopped is found as well.
  const timer = bounded.after(windowMs, () => {
    judge();
    timer.refresh();
  });
  try {
    pace.wait();
    for await (const batch of events) {
      pace.wrote(tokensIn(batch));
      judge();
      yield batch;
      pace.wait();
    }
  } finally {
    bounded.end();
  }
}

function tokensIn(batch: Batch): number {
  let tokens = 0;
  for (const event of batch) tokens += estimateTextTokens(textOf(event));
  return tokens;
}
