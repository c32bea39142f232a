import type { JobId } from "./job-id.js";

/**
 * Every code an error of this library can carry. Codes are stable: test `error.code`, never the message.
 * Each has a heading in docs/errors.md.
 */
export const errorCodes = [
  "INVALID_ARGUMENT",
  "JOB_NOT_FOUND",
  "JOB_FINISHED",
  "JOB_RUNNING",
  "JOB_CANCELLED",
  "JOB_NOT_STALLED",
  "STALE_ATTEMPT",
  "PROGRESS_DECREASED",
  "ILLEGAL_TRANSITION",
  "UNKNOWN_STATUS",
  "CONFLICT",
  "CAPACITY_EXCEEDED",
  "STORAGE_UNAVAILABLE",
  "STORAGE_REJECTED",
  "SCHEMA_MISMATCH",
  "PUBLISHER_UNAVAILABLE",
  "TOPOLOGY_MISMATCH",
  "MISSING_DEPENDENCY",
  "REPORTER_CLOSED",
] as const;

/** One of {@link errorCodes}. */
export type ErrorCode = (typeof errorCodes)[number];

/** What an error says besides its code and its sentence. */
export interface ErrorDetails {
  readonly jobId?: JobId | undefined;
  readonly cause?: unknown;
}

/**
 * The one error class of the library. The message says what happened, to which job, and what to do;
 * `code` is what programs test.
 */
export class WorkerProgressError extends Error {
  override readonly name = "WorkerProgressError";
  readonly code: ErrorCode;
  readonly jobId: JobId | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.jobId = details.jobId;
  }
}

const retryableCodes: ReadonlySet<ErrorCode> = new Set(["STORAGE_UNAVAILABLE", "PUBLISHER_UNAVAILABLE", "CONFLICT"]);

/** Whether trying the same call again, unchanged, can succeed. */
export function isRetryable(error: unknown): boolean {
  return error instanceof WorkerProgressError && retryableCodes.has(error.code);
}
