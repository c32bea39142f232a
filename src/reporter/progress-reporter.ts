import type { IfRunning } from "../domain/command.js";
import type { JobId } from "../domain/job-id.js";
import type { JobStatus } from "../domain/job-status.js";
import type { JobView } from "../domain/job-view.js";
import type { JsonObject } from "../domain/json.js";
import type { ProgressResult } from "../domain/progress-result.js";
import type { DeliveryState } from "../engine/event-delivery.js";
import type { Unfinished } from "../engine/progress-engine.js";
import type { OutboxBacklog } from "../ports/outbox.js";
import type { FailOptions, JobHandle, TransactionOption } from "./job-handle.js";

/** Options of starting a job. */
export interface StartOptions {
  /**
   * The attempt the caller counts itself, from 1: greater than the stored one begins it, equal resumes it, less is stale.
   * @default one more than the stored one
   */
  readonly attempt?: number | undefined;
  /** Keeps the progress of the attempt before instead of going back to 0. @default false */
  readonly resume?: boolean | undefined;
  /** What to do when the job is running already: fence the earlier worker off, or refuse. @default "takeOver" */
  readonly ifRunning?: IfRunning | undefined;
}

/** What `updateStatus` stores with the status. */
export interface StatusDetails extends TransactionOption {
  /** 0–100; a lower value than stored leaves what is stored. */
  readonly percent?: number | undefined;
  readonly step?: string | undefined;
  readonly message?: string | undefined;
  /** JSON. */
  readonly output?: unknown;
  readonly errorCode?: string | undefined;
  readonly errorMessage?: string | undefined;
}

/** A job to create. */
export interface JobToCreate {
  /** @default what the table makes of its own */
  readonly id?: JobId | undefined;
  readonly type?: string | undefined;
  /** @default "pending" */
  readonly status?: "pending" | "queued" | undefined;
}

/** Options of watching. */
export interface WatchOptions {
  /** Ends the watching. */
  readonly signal?: AbortSignal | undefined;
}

/** Which jobs count as stalled. */
export interface StalledOptions {
  /** How long nothing was heard, in milliseconds, 1 or more. Workers give a sign every `heartbeatMs`. */
  readonly olderThanMs: number;
  /** Most jobs at a time, 1 to 1,000. @default 100 */
  readonly limit?: number | undefined;
}

/** How the reporter is. */
export interface Health {
  readonly storage: { readonly state: "up" | "down"; readonly reason: string | null };
  readonly events: DeliveryState;
  /** What waits in the outbox; null when there is none or it cannot be read now. */
  readonly outbox: OutboxBacklog | null;
  /** Jobs this process remembers, and those of them whose newest progress is not stored. */
  readonly jobs: { readonly remembered: number; readonly unwritten: number };
}

/**
 * Reports progress and status of jobs. All methods are bound: `const { progress } = reporter` works.
 *
 * Changes (`startJob`, `completeJob`, `failJob`, `cancelJob`, `updateStatus`) reject with a `WorkerProgressError` when
 * they are not stored: `JOB_NOT_FOUND`, `JOB_FINISHED`, `JOB_RUNNING`, `STALE_ATTEMPT`, `ILLEGAL_TRANSITION`,
 * `UNKNOWN_STATUS`, `INVALID_ARGUMENT`, `CONFLICT`, `SCHEMA_MISMATCH`, `STORAGE_REJECTED`, `REPORTER_CLOSED`, and after
 * `changeTimeoutMs` `STORAGE_UNAVAILABLE`. `progress` and `forceProgress` answer the same codes and never reject.
 *
 * A call without a handle belongs to the attempt that this process began, or else first reported on until it ends that
 * job itself. To take part in a later attempt that another process began, begin it here or use a handle.
 */
export interface ProgressReporter {
  /**
   * Reports progress of a job. Written at once when its window is open, else kept as the newest and written when the
   * window ends. Never throws and never rejects.
   *
   * @param percent 0–100, clamped; NaN, infinities and non-numbers are rejected
   * @param metrics JSON, merged key by key into what is stored
   */
  progress(
    jobId: JobId,
    percent: number,
    step?: string,
    message?: string,
    metrics?: JsonObject,
  ): Promise<ProgressResult>;
  /** The same, written now, whatever the window says. */
  forceProgress(
    jobId: JobId,
    percent: number,
    step?: string,
    message?: string,
    metrics?: JsonObject,
  ): Promise<ProgressResult>;
  /** Begins an attempt: the job is running, progress is 0 again, workers of earlier attempts are fenced off. */
  startJob(jobId: JobId, message?: string, options?: StartOptions): Promise<JobHandle>;
  /** Completes a running job: 100 %, `finished_at`, and the output, which must be JSON. */
  completeJob(jobId: JobId, output?: unknown, message?: string, options?: TransactionOption): Promise<void>;
  /** Fails a job; progress stays where it is. */
  failJob(jobId: JobId, errorCode: string, errorMessage: string, options?: FailOptions): Promise<void>;
  /** Ends a job as cancelled; progress stays where it is. */
  cancelJob(jobId: JobId, reason?: string, options?: TransactionOption): Promise<void>;
  /** Sets any status that the job may move to within its attempt. */
  updateStatus(jobId: JobId, status: JobStatus, details?: StatusDetails): Promise<void>;
  /**
   * Starts a job, does the work, and completes the job with its result. When the work throws, the job fails with the
   * error's `code` and message (never its stack), or is cancelled when it threw because `job.signal` fired; the error is
   * then thrown on. A fenced-off attempt changes nothing.
   */
  run<T>(jobId: JobId, work: (job: JobHandle) => T | Promise<T>, options?: StartOptions): Promise<T>;
  /**
   * Asks for a job to be cancelled. A job that no worker runs is cancelled at once; a running one's `job.signal` fires: at
   * once where processes tell each other through Redis or PostgreSQL's notifications, else with its worker's next write.
   * The reason is the message of a job that is cancelled for it.
   */
  requestCancel(jobId: JobId, reason?: string): Promise<void>;
  /** The job as `GET /api/v1/jobs/{id}` answers it; null when there is none. Progress is the newest, stored or not yet. */
  getJob(jobId: JobId): Promise<JobView | null>;
  /** The same for several jobs in one read, in the order asked for. */
  getJobs(jobIds: readonly JobId[]): Promise<readonly (JobView | null)[]>;
  /**
   * Follows a job: the current state first, then each newer one, never a lower percent within an attempt. A slow reader gets
   * the newest only. Ends by itself after a terminal status, and when `signal` aborts.
   *
   * @throws {JOB_NOT_FOUND} when iterated, if there is no such job
   * @example
   * for await (const { status, progress } of reporter.watch(jobId)) console.log(status, progress.percent);
   */
  watch(jobId: JobId, options?: WatchOptions): AsyncIterableIterator<JobView>;
  /** Running jobs of which nothing was heard for so long, longest silent first. Stalled is not failed: nothing follows from it by itself. */
  findStalled(options: StalledOptions): Promise<readonly JobView[]>;
  /** Times stalled jobs out, each only if it is still silent when it is written. Answers the jobs that were. */
  timeoutStalled(options: StalledOptions): Promise<readonly JobView[]>;
  /** Inserts a row, and answers its id. */
  createJob(job?: JobToCreate): Promise<number | string>;
  /** Writes all unwritten progress now, and answers what could not be written. */
  flush(): Promise<Unfinished["unwritten"]>;
  /**
   * Writes and publishes what is open, for `closeTimeoutMs` at most, then closes what the reporter opened. Answers what was
   * left over. Idempotent.
   */
  close(): Promise<Unfinished>;
  /** Creates or upgrades the library's own tables. Safe when several processes do it at once. */
  migrate(): Promise<void>;
  health(): Promise<Health>;
  [Symbol.asyncDispose](): Promise<void>;
}
