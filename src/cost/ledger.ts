/** Placeholder. */
import type { CallRow, Intent, Settlement } from "../core/ledger.ts";
export interface Ledger {
  open(intent: Intent, options: { durable: boolean; signal: AbortSignal }): Promise<void> | undefined;
  settle(settlement: Settlement): void;
  call(row: CallRow): void;
  flush(): Promise<void>;
  close(): Promise<void>;
}
