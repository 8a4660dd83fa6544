/**
 * What is to be told yet of calls under way, and the room that is kept for it, so that it never waits. It knows no rows
 * that are there already.
 */
import type { Intent, Settlement } from "../core/ledger.ts";

/** Each with whether room is kept for it. */
type Expected = Map<string, boolean>;

export class Room {
  /** That it is kept for. */
  rows = 0;
  private readonly settlements: Expected = new Map();
  private readonly calls: Expected = new Map();

  /** What an attempt needs: its own row, its settlement's, and its call's. */
  neededFor({ callId, patient = false }: Intent): number {
    if (patient) return 1;
    return this.calls.has(callId) ? 2 : 3;
  }

  /** What is patient would keep its room from all others for hours, and there are not too many: it has none. */
  expect(intent: Intent): void {
    const { patient = false } = intent;
    this.add(this.settlements, keyOf(intent), !patient);
    this.add(this.calls, intent.callId, !patient);
  }

  /** Whether it was to come. */
  settled(settlement: Settlement): boolean {
    return this.take(this.settlements, keyOf(settlement));
  }

  /** Whether it was to come. */
  ended(callId: string): boolean {
    return this.take(this.calls, callId);
  }

  private add(expected: Expected, key: string, hasRoom: boolean): void {
    if (expected.has(key)) return;
    expected.set(key, hasRoom);
    if (hasRoom) this.rows++;
  }

  private take(expected: Expected, key: string): boolean {
    if (expected.get(key)) this.rows--;
    return expected.delete(key);
  }
}

function keyOf({ callId, attempt }: Intent | Settlement): string {
  return `${callId} ${attempt.number}`;
}
