/** What is kept of what was said in calls, and what is asked of a durable store of it. It knows no databases. */

export interface TranscriptRow {
  readonly callId: string;
  readonly requestId: string;
  readonly tenant: string;
  /** The API key's name. */
  readonly principal: string;
  readonly storedAtMs: number;
  /** A RequestText. */
  readonly text: Uint8Array;
}

export interface TranscriptStore {
  /** All of it or nothing, each in the place of what was kept of the same call. It need not outlast the system. */
  keep(rows: readonly TranscriptRow[]): Promise<void>;
  /**
   * By its call's id or its own. The latest, where callers have repeated it.
   *
   * @returns a RequestText
   */
  get(id: string): Promise<Uint8Array | undefined>;
  /**
   * Deletes those of all requests that bear the id, or all, so that nothing of them is left to be read in a file.
   *
   * @returns how many there were
   */
  delete(id: string | undefined): Promise<number>;
  /** Deletes what was kept before then, and the oldest beyond so many bytes. */
  sweep(keepSinceMs: number, maxBytes: number): Promise<void>;
}
