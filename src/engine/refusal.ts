import { type Change, verbOf } from "../domain/command.js";
import { type ErrorCode, WorkerProgressError } from "../domain/errors.js";
import type { JobId } from "../domain/job-id.js";

/** Stands for a report in a refusal, which tells nothing of its values. */
export const progressReport: Change = { kind: "progress", update: { percent: 0 } };

/** The error that tells a caller why a change of a job was refused. */
export function refusal(
  change: Change,
  id: JobId,
  code: ErrorCode,
  reason: string,
  cause?: unknown,
): WorkerProgressError {
  return new WorkerProgressError(code, `Cannot ${verbOf(change)} job "${shortened(String(id))}": ${reason}`, {
    jobId: id,
    cause,
  });
}

/** The same for an error that something below threw: its code and words, with the job named. */
export function refusalFrom(change: Change, id: JobId, error: unknown): WorkerProgressError {
  const code = error instanceof WorkerProgressError ? error.code : "STORAGE_REJECTED";
  const reason = error instanceof Error ? lowerFirst(error.message) : "the storage failed";
  return refusal(change, id, code, reason, error);
}

function shortened(id: string): string {
  return id.length > 80 ? `${id.slice(0, 79)}…` : id;
}

function lowerFirst(message: string): string {
  return /^[A-Z][a-z]/.test(message) ? message.charAt(0).toLowerCase() + message.slice(1) : message;
}

/** The reason of a signal that fires because the job is to be cancelled. */
export function cancelled(id: JobId): WorkerProgressError {
  return new WorkerProgressError("JOB_CANCELLED", `Job "${id}" is to be cancelled: somebody requested it`, {
    jobId: id,
  });
}
