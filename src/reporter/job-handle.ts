import type { JobId } from "../domain/job-id.js";
import type { JsonObject } from "../domain/json.js";
import type { CallerTransaction } from "../ports/storage.js";
import type { DivisibleSink } from "./progress-sink.js";

/** What the attempt before last stored, so that a retry can go on from there. */
export interface PreviousProgress {
  /** 0–100. */
  readonly percent: number;
  readonly step: string | null;
  readonly message: string | null;
  readonly metrics: JsonObject | null;
}

/** Takes a change into the caller's own transaction. */
export interface TransactionOption {
  /**
   * A Kysely `Transaction` on the same database: the change and its event become visible when it commits, and neither
   * happens when it rolls back. Not with `delivery: "direct"`.
   */
  readonly trx?: CallerTransaction | undefined;
}

/** Options of failing a job. */
export interface FailOptions extends TransactionOption {
  /** How far the job came, 0–100; a lower value than stored leaves what is stored. */
  readonly percent?: number | undefined;
}

/** One attempt of a job, as its worker holds it. A handle whose attempt was fenced off changes nothing any more. */
export interface JobHandle extends DivisibleSink {
  readonly id: JobId;
  /** Counts from 1. */
  readonly attempt: number;
  readonly previous: PreviousProgress;
  /** Fires when cancellation is requested or the attempt is fenced off; the reason is a `WorkerProgressError`. */
  readonly signal: AbortSignal;
  /** Throws the signal's reason if it has fired. */
  throwIfCancelled(): void;
  /** Completes the job: 100 %, `finished_at`, and the output, which must be JSON. */
  complete(output?: unknown, message?: string, options?: TransactionOption): Promise<void>;
  /** Fails the job; progress stays where it is. */
  fail(errorCode: string, errorMessage: string, options?: FailOptions): Promise<void>;
  /**
   * Ends the job as cancelled; progress stays where it is. Without a reason the message is the one that came with the request
   * to cancel, as far as this process was told it.
   */
  cancel(reason?: string, options?: TransactionOption): Promise<void>;
}
