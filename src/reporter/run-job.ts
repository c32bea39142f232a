import { WorkerProgressError } from "../domain/errors.js";
import { printed } from "../domain/printed.js";
import type { Log } from "../ports/log.js";
import type { JobHandle } from "./job-handle.js";

/** Starts, works, and ends the job as the work ended. */
export async function runJob<T>(
  start: () => Promise<JobHandle>,
  work: (job: JobHandle) => T | Promise<T>,
  log: Log,
): Promise<T> {
  const job = await start();
  let ended = false;
  const watched = watchEnd(job, () => {
    ended = true;
  });
  try {
    const result = await work(watched);
    if (!ended) await job.complete(result);
    return result;
  } catch (error) {
    if (!ended) await endAfter(job, error, log);
    throw error;
  }
}

/** A worker may end its job itself; then `run` does not end it again. */
function watchEnd(job: JobHandle, onEnd: () => void): JobHandle {
  const after = async (ending: Promise<void>): Promise<void> => {
    await ending;
    onEnd();
  };
  return {
    ...job,
    complete: (...args) => after(job.complete(...args)),
    fail: (...args) => after(job.fail(...args)),
    cancel: (...args) => after(job.cancel(...args)),
  };
}

async function endAfter(job: JobHandle, error: unknown, log: Log): Promise<void> {
  const { aborted, reason } = job.signal;
  if (isLost(job, error) || (aborted && isLost(job, reason))) return;
  try {
    if (aborted) await job.cancel(isAbort(error, reason) ? undefined : messageOf(error));
    else await job.fail(codeOf(error), messageOf(error));
  } catch (failure) {
    log.warn(`Job "${job.id}" ended with an error that could not be stored`, { reason: messageOf(failure) });
  }
}

/** The job is not this attempt's to end any more, or its end is not stored and not to be replaced by another. */
const lostJob: ReadonlySet<string> = new Set([
  "STALE_ATTEMPT",
  "JOB_FINISHED",
  "STORAGE_UNAVAILABLE",
  "CONFLICT",
  "REPORTER_CLOSED",
]);

function isLost(job: JobHandle, error: unknown): boolean {
  return error instanceof WorkerProgressError && lostJob.has(error.code) && String(error.jobId) === String(job.id);
}

/** Whether an error only says that the signal fired, as `throwIfCancelled` and Node's own functions do. */
function isAbort(error: unknown, reason: unknown): boolean {
  return error === reason || (error instanceof Error && (error.name === "AbortError" || error.cause === reason));
}

function codeOf(error: unknown): string {
  const code = typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
  if (typeof code === "string" && code !== "") return code;
  if (typeof code === "number") return String(code);
  return error instanceof Error ? printed(error.name) : "Error";
}

function messageOf(error: unknown): string {
  return printed(error instanceof Error ? error.message : error);
}
