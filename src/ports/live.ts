import type { JobStatus } from "../domain/job-status.js";

/** The newest accepted progress of a job, stored or not yet. */
export interface LiveProgress {
  readonly kind: "progress";
  readonly jobId: string;
  readonly attempt: number;
  /** 0–100. */
  readonly progress: number;
  readonly step: string | null;
  readonly message: string | null;
  /** Milliseconds since the epoch, by the clock of the process that reported. */
  readonly at: number;
}

/** What the storage holds of a job since a moment ago; progress may be newer, as the job's unwritten progress. */
export interface LiveStored extends Omit<LiveProgress, "kind"> {
  readonly kind: "stored";
  readonly status: JobStatus;
  /** Points per second; null while unknown. */
  readonly rate: number | null;
}

/** Somebody wants a job cancelled. */
export interface LiveCancellation {
  readonly kind: "cancellation";
  readonly jobId: string;
}

export type LiveMessage = LiveProgress | LiveStored | LiveCancellation;

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
  /** Whether other processes hear what is published. */
  readonly reach: "process" | "shared";
  /** Sends messages; "progress" and "stored" to the job's subscribers, "cancellation" to those of all cancellations. */
  publish(messages: readonly LiveMessage[]): Promise<void>;
  /** Resolves once the subscription stands, or at once when the server is away (then `onGap` follows). */
  subscribe(jobId: string, listener: LiveListener): Promise<Unsubscribe>;
  subscribeCancellations(listener: LiveListener): Promise<Unsubscribe>;
  /** Per id, in order, the last "progress" or "stored" of the last minute or so; null where there is none or it cannot be read. */
  latest(jobIds: readonly string[]): Promise<readonly (LiveProgress | LiveStored | null)[]>;
  /** Releases what the adapter opened, never what it was given. Idempotent. */
  close(): Promise<void>;
}
