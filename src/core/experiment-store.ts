/** What experiments ask of a durable store: figures of each process, and what was decided. It knows no database. */

export interface KeptTrial {
  readonly name: string;
  /** What it compares: figures of another one are not its own. */
  readonly fingerprint: string;
  /** The process whose figures they are; empty for what was decided. */
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
  /** Lets go of figures that nobody has kept since then. What was decided is kept once, and holds for good. */
  sweep(beforeMs: number): Promise<void>;
  /** Which variant answered a tenant's request; undefined when none did. */
  variantOf(tenant: string, requestId: string): Promise<KeptVariant | undefined>;
}
