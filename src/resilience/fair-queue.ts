/** Those who wait, each caller's in turn: who sends many waits behind his own. It knows no reason to wait. */

export class FairQueue<T> {
  /** In the order in which callers are due; each one's own in the order in which they came. */
  private readonly callers = new Map<string, Set<T>>();
  private count = 0;

  get size(): number {
    return this.count;
  }

  /** The earliest turn, counted from 1, that one more of this caller's would have if nobody gave up. */
  turnOf(caller: string): number {
    const own = this.callers.get(caller);
    return own ? this.callers.size + own.size : this.callers.size + 1;
  }

  add(caller: string, waiting: T): void {
    const own = this.callers.get(caller) ?? new Set();
    this.callers.set(caller, own.add(waiting));
    this.count++;
  }

  /** @returns whether it was there */
  remove(caller: string, waiting: T): boolean {
    const own = this.callers.get(caller);
    if (!own?.delete(waiting)) return false;
    if (own.size === 0) this.callers.delete(caller);
    this.count--;
    return true;
  }

  /** Who has the most, where that are at least two more than this caller's; undefined where nobody has. */
  hogFor(caller: string): string | undefined {
    let hog: string | undefined;
    let most = (this.callers.get(caller)?.size ?? 0) + 1;
    for (const [other, { size }] of this.callers) {
      if (size <= most) continue;
      hog = other;
      most = size;
    }
    return hog;
  }

  /** Takes the caller's latest out. */
  takeLast(caller: string): T | undefined {
    const last = [...(this.callers.get(caller) ?? [])].at(-1);
    if (last !== undefined) this.remove(caller, last);
    return last;
  }

  /** Takes the next out, and has its caller wait behind the others. */
  take(): T | undefined {
    for (const [caller, own] of this.callers) {
      this.callers.delete(caller);
      for (const first of own) {
        own.delete(first);
        this.count--;
        if (own.size > 0) this.callers.set(caller, own);
        return first;
      }
    }
    return undefined;
  }
}
