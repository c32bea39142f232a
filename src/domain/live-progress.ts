import type { JobSnapshot } from "./job-snapshot.js";
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
}

/**
 * The newer of what is stored and what is told: never lower within an attempt, never of another attempt, and never a status
 * that is not stored, so that only a running job takes progress that was told.
 */
export function newerProgress(
  job: JobSnapshot,
  told: ToldProgress | null,
  percentType: "integer" | "decimal",
): JobSnapshot {
  if (told === null || job.status !== "running" || told.attempt !== job.attempt) return job;
  const progress = storedPercent(told.progress, percentType);
  const { step, message, rate } = {
    step: told.step ?? job.step,
    message: told.message ?? job.message,
    rate: told.rate ?? job.rate,
  };
  const saysMore = step !== job.step || message !== job.message || rate !== job.rate;
  const isNewer = progress > job.progress || (progress === job.progress && told.at > (job.progressAt ?? 0) && saysMore);
  return isNewer ? { ...job, progress, step, message, rate, progressAt: told.at } : job;
}
