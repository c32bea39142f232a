import type { LiveMessage, LiveProgress, LiveStored } from "../domain/live-message.js";

export type { LiveCancellation, LiveMessage, LiveProgress, LiveStored } from "../domain/live-message.js";

/** Who listens. */
export interface LiveListener {
  onMessage(message: LiveMessage): void;
  /** Messages may have been missed: the subscription was lost and is back. */
  onGap(): void;
}

/** Ends a subscription. Idempotent. */
export type Unsubscribe = () => void;

/**
 * Carries news between processes, at most once and without a promise: what must not be lost is in the storage. No method
 * rejects because a server is away.
 */
export interface LiveAdapter {
  /** Whether what other processes store is heard here. May change at any time: with a connection that is lost, for one. */
  readonly reach: "process" | "shared";
  /** Sends messages; "progress" and "stored" to the job's subscribers, "cancellation" to those of all cancellations. */
  publish(messages: readonly LiveMessage[]): Promise<void>;
  /** Resolves once the subscription stands, or at once when the server is away (then `onGap` follows). */
  subscribe(jobId: string, listener: LiveListener): Promise<Unsubscribe>;
  subscribeCancellations(listener: LiveListener): Promise<Unsubscribe>;
  /**
   * Per id, in order, the last "progress" or "stored" of the last minute or so, but none that was behind the one before: of
   * an earlier attempt, or lower within one. Null where there is none or it cannot be read.
   */
  latest(jobIds: readonly string[]): Promise<readonly (LiveProgress | LiveStored | null)[]>;
  /** Releases what the adapter opened, never what it was given. Idempotent. */
  close(): Promise<void>;
}
