/** One call that waits for its line of a batch, until it is there or the caller leaves. It knows no batch. */
import { Failure, toFailure } from "../../core/failure.ts";
import type { LineReply } from "../batch_adapter.ts";

export class Waiter {
  /** The caller's name for its line within the batch. */
  readonly customId: string;
  readonly reply: Promise<LineReply>;
  private readonly signal: AbortSignal;
  private readonly settled = Promise.withResolvers<LineReply>();
  private leave: () => void = ignore;
  private readonly onAbort = () => this.leave();

  constructor(customId: string, signal: AbortSignal) {
    this.customId = customId;
    this.reply = this.settled.promise;
    this.signal = signal;
    signal.addEventListener("abort", this.onAbort, { once: true });
  }

  /** Why the caller left. */
  get reason(): unknown {
    return this.signal.reason;
  }

  /** Whether the process is about to end, and nobody gave the call up. */
  get suspended(): boolean {
    return this.reason instanceof Failure && this.reason.kind === "shutting_down";
  }

  /** What is to be done once the caller has left, from now on. */
  whenLeft(leave: () => void): void {
    this.leave = leave;
    if (this.signal.aborted) leave();
  }

  /** From now on it is not heeded that the caller leaves. */
  hold(): void {
    this.leave = ignore;
  }

  resolve(reply: LineReply): void {
    this.end();
    this.settled.resolve(reply);
  }

  reject(error: unknown): void {
    this.end();
    this.settled.reject(error);
  }

  /** For a caller who left before anything was charged. */
  rejectUnserved(operator: string): void {
    const { kind, message } = toFailure(this.reason);
    this.reject(new Failure(kind, message, { operator, unsent: true, cause: this.reason }));
  }

  private end(): void {
    this.hold();
    this.signal.removeEventListener("abort", this.onAbort);
  }
}

function ignore(): void {}
