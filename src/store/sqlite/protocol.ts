/** What the threads beside the database are asked, and what they answer. */
import type { SpendFilter } from "../../core/ledger.ts";

export type Question =
  /** Rows as JSON in UTF-8. The buffer is handed over. */
  | { readonly kind: "append"; readonly rows: ArrayBuffer }
  | { readonly kind: "spent"; readonly filter: SpendFilter; readonly sinceMs: number }
  | { readonly kind: "closeOrphans"; readonly nowMs: number }
  | { readonly kind: "rollUp"; readonly nowMs: number; readonly keepSinceMs: number }
  | { readonly kind: "keepCatalog"; readonly version: string; readonly json: string; readonly nowMs: number }
  /** A method of what owns these tables. */
  | { readonly kind: Tables; readonly method: string; readonly args: readonly unknown[] }
  /** For the thread that reads: rows with their columns' names, or as lists. */
  | { readonly kind: "rows" | "lists"; readonly text: string; readonly values: readonly (string | number)[] }
  | { readonly kind: "close" };

export type Tables =
  | "jobs"
  | "outbox"
  | "idempotency"
  | "known"
  | "experiments"
  | "adjustments"
  | "transcripts";

/** One for each question in their order, after one without value that says that the database is open. */
export type Answer =
  | { readonly value: unknown }
  /** `passing` where it may be none with the next try. */
  | { readonly error: string; readonly passing: boolean };
