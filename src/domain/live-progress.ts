import type { JobSnapshot } from "./job-snapshot.js";
import type { JobStatus } from "./job-status.js";
import { storedPercent } from "./percent.js";

/** Progress as another process tells it, stored or not yet. */
export interface ToldProgress {
  readonly attempt: number;
  /** 0–100. */
  readonly progress: number;
  readonly step: string | null;
  readonly message: string | null;
  /** Points per second, where it is known with what is stored. */
  readonly rate?: number | null;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** The status it was stored with; absent while it is not stored. */
  readonly status?: JobStatus;
}

/**
 * The newer of what is stored and what is told: never lower within an attempt, never of another attempt, and never a status
 * that is not stored: only a running job takes progress that is not stored yet.
 */
export function newerProgress(
  job: JobSnapshot,
  told: ToldProgress | null,
  percentDecimals: number | null,
): JobSnapshot {
  if (told === null || told.attempt !== job.attempt) return job;
  if (told.status === undefined ? job.status !== "running" : told.status !== job.status) return job;
  const progress = storedPercent(told.progress, percentDecimals);
  const { step, message, rate } = {
    step: told.step ?? job.step,
    message: told.message ?? job.message,
    rate: told.rate ?? job.rate,
  };
  const saysMore = step !== job.step || message !== job.message || rate !== job.rate;
  const isNewer = progress > job.progress || (progress === job.progress && told.at > (job.progressAt ?? 0) && saysMore);
  return isNewer ? { ...job, progress, step, message, rate, progressAt: told.at } : job;
}

/**
 * What was read, for somebody who was shown `shown` before: within an attempt the percent never falls, even where a worker
 * died before it had written what it told.
 */
export function notBehind(job: JobSnapshot, shown: JobSnapshot | null): JobSnapshot {
  if (shown === null || shown.attempt !== job.attempt || shown.progress <= job.progress) return job;
  if (job.status !== "running") return { ...job, progress: shown.progress };
  const { progress, step, message, progressAt } = shown;
  return { ...job, progress, step, message, progressAt };
}
