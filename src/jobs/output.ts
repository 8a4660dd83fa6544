/** What a run has said so far, for those who watch it. It keeps the text alone, and no watcher holds it up. */
import type { Batch } from "../core/reply.ts";

export class Output {
  /** The first choice's text. */
  text = "";
  /** As the latest event told it; undefined when the price is not known. */
  costUsd: number | undefined;
  private ended = false;
  private readonly waiting = new Set<() => void>();

  async *watch(events: AsyncIterable<Batch>): AsyncGenerator<Batch> {
    for await (const batch of events) {
      let said = "";
      for (const { token, index = 0, costUsd } of batch) {
        if (token !== undefined && index === 0) said += token;
        if (costUsd !== undefined) this.costUsd = costUsd;
      }
      if (said) this.say(said);
      yield batch;
    }
  }

  end(): void {
    this.ended = true;
    this.wake();
  }

  /** What comes behind so many characters, piece by piece, until the run has ended or the signal is aborted. */
  async *follow(from: number, signal: AbortSignal): AsyncGenerator<string> {
    let told = from;
    while (!signal.aborted) {
      if (this.text.length > told) {
        const piece = this.text.slice(told);
        told = this.text.length;
        yield piece;
      } else if (this.ended) return;
      else await this.more(signal);
    }
  }

  private say(text: string): void {
    this.text += text;
    this.wake();
  }

  private more(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        signal.removeEventListener("abort", done);
        this.waiting.delete(done);
        resolve();
      };
      signal.addEventListener("abort", done, { once: true });
      this.waiting.add(done);
    });
  }

  private wake(): void {
    for (const resume of [...this.waiting]) resume();
  }
}
