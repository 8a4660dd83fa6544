/**
 * What calls come to on its way to the durable store: gathers rows, writes them in groups and tries again what
 * failed. Its memory is bounded, and no row gets lost in silence. How rows are kept it does not know.
 */
import { type Clock, pass, type Timer } from "../core/clock.ts";
import { Failure } from "../core/failure.ts";
import type { CallRow, Intent, LedgerBatch, LedgerStore, Settlement } from "../core/ledger.ts";
import { messageOf } from "../core/message.ts";
import { Room } from "./ledger-room.ts";

export interface Ledger {
  /** Rows that wait or are being written. */
  readonly unwrittenRows: number;
  /** Those, and the ones for which room is kept. */
  readonly waitingRows: number;
  /**
   * An attempt is about to be sent. It is to be settled whatever becomes of it, even when this rejects.
   *
   * @returns undefined when there is nothing to wait for; else resolves once there was room and, with `durable`,
   *   the row is safe
   * @throws Failure `budget_unavailable` when it is `durable` and cannot be kept, or the signal's reason
   */
  open(intent: Intent, options: OpenOptions): Promise<void> | undefined;
  /** What became of an attempt. Never waits: there is room for it since it was opened. */
  settle(settlement: Settlement): void;
  /** A call is over. Never waits; without an attempt before, and without room, its row is lost. */
  call(row: CallRow): void;
  /** Resolves once nothing of what waits now waits any more. Rejects with what the store fails with meanwhile. */
  flush(): Promise<void>;
  /** Writes what waits. What the store does not take then is lost, and told. */
  close(): Promise<void>;
}

export interface OpenOptions {
  /** Whether to wait until the row is safe. */
  readonly durable: boolean;
  /** Ends the wait. */
  readonly signal: AbortSignal;
}

export interface LedgerOptions {
  readonly store: Pick<LedgerStore, "append">;
  readonly clock: Clock;
  /** At least 3, which is what a call needs. */
  readonly maxWaitingRows: number;
  /** `wait` holds attempts back until there is room; `drop` lets them through without their rows, unless `durable`. */
  readonly whenFull: "wait" | "drop";
  /** Told of rows that nobody will find. */
  onLost(rows: number): void;
  /** Told of each failure of the store. What it did not take is tried again. */
  onError(error: unknown): void;
}

/** The rest of 10 ms is for the disk. */
const INTENTS_AFTER_MS = 8;
/** The rest of 250 ms is for the disk. */
const OTHERS_AFTER_MS = 200;
/** Of each kind in a group: to encode more would hold up everyone else for milliseconds. */
const GROUP_ROWS = 1_000;
/** What is due so soon goes with the group before. */
const EARLY_MS = 8;
const RETRY_AFTER_MS = 100;
const MAX_RETRY_AFTER_MS = 5_000;
const TRIES_WHEN_CLOSING = 3;
const NEVER = Number.POSITIVE_INFINITY;

export function createLedger(options: LedgerOptions): Ledger {
  return new GatheringLedger(options);
}

/** Ends a wait, by what it failed with if it did. */
type Waiter = (failure?: unknown) => void;

class GatheringLedger implements Ledger {
  private readonly options: LedgerOptions;
  private readonly intents: Intent[] = [];
  private readonly settlements: Settlement[] = [];
  private readonly calls: CallRow[] = [];
  private inFlight = 0;
  /** Rows that ever came, and those of them that were ever begun to be written. */
  private accepted = 0;
  private taken = 0;
  /** Of attempts that are to be settled, and of calls that are to end. */
  private readonly room = new Room();
  /** In their order. */
  private readonly waitForRoom = new Map<Intent, Waiter>();
  private readonly waitForSafety = new Map<Intent, Waiter>();
  /** Told what the store failed with. */
  private readonly waitForAll = new Set<(error: unknown) => void>();
  private intentsDueMs = NEVER;
  private othersDueMs = NEVER;
  private timer: Timer | undefined;
  private writing: Promise<void> | undefined;
  /** The store did not take the group that is in flight. */
  private failing: Failure | undefined;
  private closing = false;

  constructor(options: LedgerOptions) {
    this.options = options;
  }

  get unwrittenRows(): number {
    return this.intents.length + this.settlements.length + this.calls.length + this.inFlight;
  }

  get waitingRows(): number {
    return this.unwrittenRows + this.room.rows;
  }

  open(intent: Intent, { durable, signal }: OpenOptions): Promise<void> | undefined {
    if (durable && this.failing) return Promise.reject(this.failing);
    if (this.waitForRoom.size === 0 && this.hasRoomFor(intent)) {
      this.accept(intent);
      return durable ? waitIn(this.waitForSafety, intent, signal) : undefined;
    }
    if (this.options.whenFull === "wait") return this.openLater(intent, durable, signal);
    if (durable)
      return Promise.reject(unsafe("there is no room for more rows that wait for the ledger's database"));
    this.options.onLost(1);
    return undefined;
  }

  settle(settlement: Settlement): void {
    // Of others the row was lost, which is told, or refused.
    if (!this.room.settled(settlement)) return;
    this.settlements.push(settlement);
    this.accepted++;
    this.writeOthersWithin(OTHERS_AFTER_MS);
  }

  call(row: CallRow): void {
    if (!this.room.ended(row.callId) && this.waitingRows >= this.options.maxWaitingRows) {
      this.options.onLost(1);
      return;
    }
    this.calls.push(row);
    this.accepted++;
    this.writeOthersWithin(OTHERS_AFTER_MS);
  }

  async flush(): Promise<void> {
    // Rows that come meanwhile must not keep it for ever.
    const upTo = this.accepted;
    this.writeOthersWithin(0);
    while (this.taken < upTo) await this.unlessFailing(this.writing ?? this.write());
    await this.unlessFailing(this.writing);
  }

  async close(): Promise<void> {
    this.closing = true;
    while (this.writing || this.hasRows) await (this.writing ?? this.write());
  }

  private get hasRows(): boolean {
    return this.intents.length + this.settlements.length + this.calls.length > 0;
  }

  private hasRoomFor(intent: Intent): boolean {
    return this.waitingRows + this.room.neededFor(intent) <= this.options.maxWaitingRows;
  }

  private accept(intent: Intent): void {
    this.intents.push(intent);
    this.accepted++;
    this.room.expect(intent);
    this.writeIntentsWithin(INTENTS_AFTER_MS);
  }

  private async openLater(intent: Intent, durable: boolean, signal: AbortSignal): Promise<void> {
    const room = waitIn(this.waitForRoom, intent, signal);
    // What waits is in the way.
    this.writeIntentsWithin(0);
    this.writeOthersWithin(0);
    await room;
    if (durable) await waitIn(this.waitForSafety, intent, signal);
  }

  /** What the store does not take is tried again for as long as it takes, which nobody can wait for. */
  private async unlessFailing(writing: Promise<void> | undefined): Promise<void> {
    if (this.failing) throw this.failing.cause;
    const { promise: failed, reject } = Promise.withResolvers<never>();
    this.waitForAll.add(reject);
    await Promise.race([writing, failed]).finally(() => this.waitForAll.delete(reject));
  }

  private admit(): void {
    for (const [intent, end] of this.waitForRoom) {
      if (!this.hasRoomFor(intent)) return;
      this.accept(intent);
      end();
    }
  }

  private writeIntentsWithin(delayMs: number): void {
    const dueMs = this.options.clock.now() + delayMs;
    if (dueMs >= this.intentsDueMs || this.intents.length === 0) return;
    this.intentsDueMs = dueMs;
    if (dueMs < this.othersDueMs) this.schedule();
  }

  private writeOthersWithin(delayMs: number): void {
    const dueMs = this.options.clock.now() + delayMs;
    if (dueMs >= this.othersDueMs || this.settlements.length + this.calls.length === 0) return;
    this.othersDueMs = dueMs;
    if (dueMs < this.intentsDueMs) this.schedule();
  }

  /** One group at a time; the next gathers meanwhile. */
  private schedule(): void {
    this.timer?.cancel();
    if (this.writing || !this.hasRows) return;
    const { clock } = this.options;
    const dueMs = Math.min(this.intentsDueMs, this.othersDueMs);
    this.timer = clock.after(Math.max(0, dueMs - clock.now()), () => void this.write());
  }

  private write(): Promise<void> {
    this.timer?.cancel();
    this.writing = this.writeGroup();
    return this.writing;
  }

  private async writeGroup(): Promise<void> {
    const batch = this.takeGroup();
    const rows = batch.intents.length + batch.settlements.length + batch.calls.length;
    this.inFlight = rows;
    this.taken += rows;
    const kept = await this.append(batch);
    this.inFlight = 0;
    this.failing = undefined;
    if (!kept) this.options.onLost(rows);
    if (this.waitForSafety.size > 0) for (const intent of batch.intents) this.waitForSafety.get(intent)?.();
    this.writing = undefined;
    this.admit();
    this.schedule();
  }

  /**
   * An attempt is settled in its intent's group or in a later one, since no settlement is older than its intent.
   * Settlements and calls wait for each other until they are due: many together cost the database half of what few
   * cost at a time.
   */
  private takeGroup(): LedgerBatch {
    const now = this.options.clock.now();
    const intents = this.intents.splice(0, GROUP_ROWS);
    this.intentsDueMs = this.intents.length > 0 ? now : NEVER;
    if (!this.closing && this.waitForRoom.size === 0 && this.othersDueMs > now + EARLY_MS)
      return { intents, settlements: [], calls: [], durable: this.waitForSafety.size > 0 };
    const settlements = this.intents.length === 0 ? this.settlements.splice(0, GROUP_ROWS) : [];
    const calls = this.calls.splice(0, GROUP_ROWS);
    this.othersDueMs = this.settlements.length + this.calls.length > 0 ? now : NEVER;
    return { intents, settlements, calls, durable: true };
  }

  /** Whether the store took it. Gives up only when the gateway ends. */
  private async append(batch: LedgerBatch): Promise<boolean> {
    const { store, clock, onError } = this.options;
    let delayMs = RETRY_AFTER_MS;
    for (let tries = 1; ; tries++) {
      try {
        await store.append(batch);
        return true;
      } catch (error) {
        onError(error);
        this.fail(error);
      }
      if (this.closing && tries >= TRIES_WHEN_CLOSING) return false;
      await pass(clock, delayMs);
      delayMs = Math.min(2 * delayMs, MAX_RETRY_AFTER_MS);
    }
  }

  /** Whoever needs a safe row, or all of them, learns at once that there is none: it would have to wait for a repair. */
  private fail(error: unknown): void {
    this.failing = unsafe(messageOf(error), error);
    for (const end of this.waitForSafety.values()) end(this.failing);
    for (const end of this.waitForAll) end(error);
  }
}

function waitIn(waiters: Map<Intent, Waiter>, intent: Intent, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.reject(signal.reason);
  return new Promise((resolve, reject) => {
    const abort = () => end(signal.reason);
    const end: Waiter = (failure) => {
      waiters.delete(intent);
      signal.removeEventListener("abort", abort);
      if (failure === undefined) resolve();
      else reject(failure);
    };
    waiters.set(intent, end);
    signal.addEventListener("abort", abort);
  });
}

function unsafe(operator: string, cause?: unknown): Failure {
  const text = "a hard budget is about this call, and the ledger cannot be written; try again";
  return new Failure("budget_unavailable", text, { operator, cause });
}
