/** Decides who may write: one acquisition per key and window, however many processes ask. */
export interface ThrottleAdapter {
  /**
   * Asks for all keys in one round trip. Per key, in order: 0 when acquired (the window of `windowMs` milliseconds, > 0,
   * starts now), else the milliseconds until it is worth asking again. Keys are distinct. Answers within a bounded time
   * whatever the server does: where the shared window is out of reach it answers from a local one.
   */
  acquire(keys: readonly string[], windowMs: number): Promise<readonly number[]>;
  /** Releases what the adapter opened, never what it was given. Idempotent. */
  close(): Promise<void>;
}
