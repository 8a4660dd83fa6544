/**
 * Whether new calls should come here, and why not: one answer for everyone who asks. It knows reasons by
 * their names and judges none.
 */
import { EventEmitter, once } from "node:events";

export type Reason = "draining" | "database";

export class Readiness {
  private readonly reasons = new Map<Reason, string>();
  // Any number of callers may be waiting.
  private readonly changes = new EventEmitter<{ change: [] }>().setMaxListeners(0);

  /** Why no new call should come here, in words; empty when they should. */
  get notReady(): string {
    return [...this.reasons.values()].join("; ");
  }

  has(reason: Reason): boolean {
    return this.reasons.has(reason);
  }

  /** @param words for whoever asks */
  fail(reason: Reason, words: string): void {
    this.reasons.set(reason, words);
    this.changes.emit("change");
  }

  recover(reason: Reason): void {
    if (this.reasons.delete(reason)) this.changes.emit("change");
  }

  /** Resolves with the next change, or once the signal is aborted. */
  async changed(signal: AbortSignal): Promise<void> {
    await once(this.changes, "change", { signal }).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  }
}
