/** Hooks as the configuration would have them, and the layer around a service that says what a test wants. */
import type { StreamResponse } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { Call } from "../../src/core/call.ts";
import { type Batch, event } from "../../src/core/reply.ts";
import { moderate } from "../../src/layers/moderate.ts";
import type { Hook } from "../../src/moderation/hook.ts";
import { type CallInit, callOf, replyOf } from "../support/call.ts";
import { VirtualClock } from "../support/clock.ts";

export function hookOf(looks: Hook["looks"], changes: Partial<Hook> = {}): Hook {
  return {
    name: "hook",
    on: new Set(["request", "stream", "reply"]),
    action: "redact",
    failOpen: false,
    timeoutMs: 1_000,
    restore: false,
    looks,
    isFor: () => true,
    looksAt: () => true,
    ...changes,
  };
}

export interface Moderated {
  /** Given so far, also where the call failed. */
  readonly events: StreamResponse[];
  /** As those below saw it; undefined when they were not asked. */
  readonly below: Call | undefined;
  readonly call: Call;
  readonly counted: readonly string[];
  readonly error: unknown;
}

/** @param said what is answered, in batches, or what makes that of the call */
export async function moderatedBy(
  hooks: readonly Hook[],
  init: CallInit,
  said: readonly Batch[] | ((call: Call) => readonly Batch[]),
  clock = new VirtualClock(),
): Promise<Moderated> {
  const counted: string[] = [];
  const means = {
    hooks,
    clock,
    count: (hook: string, action: string, stage: string) => void counted.push(`${hook} ${action} ${stage}`),
    onError: () => {},
  };
  const call = callOf(init);
  let below: Call | undefined;
  const events: StreamResponse[] = [];
  let error: unknown;
  try {
    const reply = await moderate(means)(async (one) => {
      below = one;
      return replyOf(typeof said === "function" ? said(one) : said);
    })(call);
    for await (const batch of reply.events) events.push(...batch);
  } catch (thrown) {
    error = thrown;
  }
  return { events, below, call, counted, error };
}

export const DONE = event({ done: true, finishReason: "stop" });

/** Each piece a batch, and the end. */
export function pieces(texts: readonly string[]): Batch[] {
  return [...texts.map((token) => [event({ token })]), [DONE]];
}

export function textIn(events: readonly StreamResponse[]): string {
  return events.map(({ token = "" }) => token).join("");
}

export async function textOf(moderated: Promise<Moderated>): Promise<string> {
  return textIn((await moderated).events);
}
