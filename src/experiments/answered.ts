/** Which variant answered which request lately, so that feedback finds it. It keeps no text. */

export interface Answered {
  readonly experiment: string;
  readonly variant: string;
  readonly group: number;
  /** What was said of it before; undefined when nothing was. */
  score: number | undefined;
}

const MAX_KEPT = 50_000;

export class AnsweredRequests {
  /** The oldest first. */
  private readonly known = new Map<string, Answered>();

  /** A request id that a caller repeats means its latest call. */
  add(tenant: string, requestId: string, answered: Answered): void {
    const key = keyOf(tenant, requestId);
    this.known.delete(key);
    this.known.set(key, answered);
    if (this.known.size <= MAX_KEPT) return;
    const [oldest] = this.known.keys();
    if (oldest !== undefined) this.known.delete(oldest);
  }

  find(tenant: string, requestId: string): Answered | undefined {
    return this.known.get(keyOf(tenant, requestId));
  }
}

function keyOf(tenant: string, requestId: string): string {
  return `${tenant}\n${requestId}`;
}
