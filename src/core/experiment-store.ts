/** What experiments ask of a durable store: figures of each process, and what was decided. It knows no database. */

/** Whose figures are the sum of those of processes that have ended: no process has this name. */
export const ENDED = "ended";

export interface KeptTrial {
  readonly name: string;
  /** What it compares: figures of another one are not its own. */
  readonly fingerprint: string;
  /** The process whose figures they are; `ENDED` for those of all that have ended, and empty for what was decided. */
  readonly instance: string;
  readonly updatedAtMs: number;
  /** JSON. */
  readonly body: string;
}

/** Of a call that a variant answered. */
export interface KeptVariant {
  /** As `experiment/variant`. */
  readonly name: string;
  /** Which group its unit is in; undefined where that was not kept yet. */
  readonly group: number | undefined;
}

export interface ExperimentStore {
  /** In the place of what was kept under the same name, fingerprint and instance, unless that is newer. */
  keep(trial: KeptTrial): Promise<void>;
  load(): Promise<KeptTrial[]>;
  /**
   * Lets go of what a process kept, and keeps the sum that it is in from now on.
   *
   * @param before what was kept in the place of the sum, undefined for nothing
   * @returns false where something else is kept there: then nothing is changed
   */
  fold(instance: string, sum: KeptTrial, before: string | undefined): Promise<boolean>;
  /** Lets go of figures that nobody has kept since then. What was decided is kept once, and holds for good. */
  sweep(beforeMs: number): Promise<void>;
  /** Which variant answered a tenant's request; undefined when none did. */
  variantOf(tenant: string, requestId: string): Promise<KeptVariant | undefined>;
}
