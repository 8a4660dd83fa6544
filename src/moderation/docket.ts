/**
 * What moderation comes to for one call: what was found is counted and told, and what follows from it is done. It keeps
 * no text but in the call's placeholders.
 */
import type { Moderated } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import { Bounded } from "../core/bounded.ts";
import type { Call } from "../core/call.ts";
import type { Clock } from "../core/clock.ts";
import { Failure } from "../core/failure.ts";
import type { Action, Asking, Hook, Stage, Verdict } from "./hook.ts";
import { Placeholders } from "./placeholders.ts";

export interface DocketMeans {
  readonly clock: Clock;
  /** Told of all that is found, also of what nobody is told. */
  count(hook: string, action: string, stage: Stage): void;
  /** Told why a hook failed. */
  onError(hook: string, error: unknown): void;
}

const SEVERITY: readonly Action[] = ["allow", "flag", "redact", "refuse"];

export class Docket {
  readonly placeholders = new Placeholders();
  private readonly call: Call;
  private readonly means: DocketMeans;

  constructor(call: Call, means: DocketMeans) {
    this.call = call;
    this.means = means;
  }

  /**
   * @param action what the hook is configured for, or something milder
   * @throws Failure `content_refused`
   */
  found(hook: Hook, stage: Stage, category: string, action: Action): void {
    this.means.count(hook.name, action, stage);
    if (action === "allow") return;
    this.note(hook, stage, action, category);
    if (action !== "refuse") return;
    const what = stage === "request" ? "the request" : "the answer";
    throw new Failure("content_refused", `the moderation hook "${hook.name}" refuses ${what}: ${category}`);
  }

  /** What stands in place of what was found. */
  instead(hook: Hook, stage: Stage, category: string, value: string): string {
    return this.placeholders.of(category, value, hook.restore && stage === "request");
  }

  /**
   * @returns undefined when it failed and the call may pass
   * @throws Failure `moderation_unavailable`; or the call's own, when that ends meanwhile
   */
  async ask(hook: Hook, looks: Asking, stage: Stage, texts: readonly string[]): Promise<Verdict | undefined> {
    const { requestId, tenant, principal } = this.call.context;
    const bounded = new Bounded(this.call.signal, this.means.clock);
    const late = new Late(`it did not answer within ${hook.timeoutMs} ms`);
    bounded.limit(hook.timeoutMs, () => new Failure("moderation_unavailable", late.message, { cause: late }));
    const { signal } = bounded;
    const ended = Promise.withResolvers<never>();
    const onAbort = () => ended.reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      signal.throwIfAborted();
      const asked = looks.ask(texts, { stage, requestId, tenant, principal, signal });
      return await Promise.race([asked, ended.promise]);
    } catch (error) {
      if (this.call.signal.aborted) throw this.call.signal.reason;
      this.failed(hook, stage, signal.aborted ? "timeout" : "failed", error);
      return undefined;
    } finally {
      signal.removeEventListener("abort", onAbort);
      bounded.end();
    }
  }

  private failed(hook: Hook, stage: Stage, category: "timeout" | "failed", error: unknown): void {
    this.means.onError(hook.name, error);
    if (hook.failOpen) {
      this.means.count(hook.name, "skipped", stage);
      this.note(hook, stage, "skipped", category);
      return;
    }
    this.means.count(hook.name, "refuse", stage);
    const why = category === "timeout" ? `did not answer within ${hook.timeoutMs} ms` : "failed";
    throw new Failure("moderation_unavailable", `the moderation hook "${hook.name}" ${why}; try again`, {
      cause: error,
      ...(error instanceof Error ? { operator: error.message } : {}),
    });
  }

  private note({ name: hook }: Hook, stage: Stage, action: string, category: string): void {
    const { moderation } = this.call.tally;
    const same = (one: Moderated) =>
      one.hook === hook && one.stage === stage && one.action === action && one.category === category;
    const known = moderation.find(same);
    if (known) known.count++;
    else moderation.push({ $typeName: "llmgateway.v1.Moderated", hook, stage, action, category, count: 1 });
  }
}

class Late extends Error {}

/** The milder of both: nobody who is asked can make more of it than the configuration. */
export function milder(configured: Action, said: Action | undefined): Action {
  return said && SEVERITY.indexOf(said) < SEVERITY.indexOf(configured) ? said : configured;
}
