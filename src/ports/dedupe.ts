/** Remembers which events were sent, for `delivery: "direct"`, where no outbox row does. */
export interface DedupeAdapter {
  /** Marks ids for `ttlMs` milliseconds. Per id, in order: true when it was not marked before. */
  mark(ids: readonly string[], ttlMs: number): Promise<readonly boolean[]>;
  /** Takes marks back after a publish that failed. */
  unmark(ids: readonly string[]): Promise<void>;
  /** Releases what the adapter opened, never what it was given. Idempotent. */
  close(): Promise<void>;
}
