import { WorkerProgressError } from "../domain/errors.js";
import type { JobSnapshot } from "../domain/job-snapshot.js";
import type { JobView } from "../domain/job-view.js";
import { printed } from "../domain/printed.js";
import type { JobReader } from "../engine/job-reader.js";
import type { ProgressEngine } from "../engine/progress-engine.js";
import type { Clock } from "../ports/clock.js";
import type { StalledOptions } from "./progress-reporter.js";

interface Parts {
  readonly engine: ProgressEngine;
  readonly reader: JobReader;
  readonly clock: Clock;
}

/** Running jobs of which nothing was heard for so long. */
export async function findStalled(parts: Parts, options: StalledOptions): Promise<readonly JobView[]> {
  const jobs = await silentJobs(parts, silentSinceOf(parts, options), options);
  return Promise.all(jobs.map((job) => parts.reader.view(job)));
}

/** Times out those that are still silent when they are written. */
export async function timeoutStalled(parts: Parts, options: StalledOptions): Promise<readonly JobView[]> {
  const silentSince = silentSinceOf(parts, options);
  const jobs = await silentJobs(parts, silentSince, options);
  const timedOut = await Promise.all(jobs.map((job) => expire(parts, job, silentSince)));
  return Promise.all(timedOut.filter((job) => job !== null).map((job) => parts.reader.view(job)));
}

async function expire({ engine }: Parts, { id }: JobSnapshot, silentSince: number): Promise<JobSnapshot | null> {
  try {
    const { job } = await engine.change(id, { kind: "expire", silentSince }, { bound: null });
    return job;
  } catch (error) {
    if (error instanceof WorkerProgressError && spared.has(error.code)) return null;
    throw error;
  }
}

const spared: ReadonlySet<string> = new Set(["JOB_NOT_STALLED", "JOB_NOT_FOUND"]);

async function silentJobs({ reader }: Parts, silentSince: number, { limit = 100 }: StalledOptions) {
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > 1_000) {
    throw new WorkerProgressError(
      "INVALID_ARGUMENT",
      `Cannot find stalled jobs: limit must be 1 to 1000, got ${printed(limit)}`,
    );
  }
  return reader.silent(silentSince, limit);
}

function silentSinceOf({ clock }: Parts, options: StalledOptions | null | undefined): number {
  const olderThanMs = options?.olderThanMs ?? Number.NaN;
  if (Number.isFinite(olderThanMs) && olderThanMs >= 1) return Math.floor(clock.wall() - olderThanMs);
  const problem = `olderThanMs must be 1 or more milliseconds, got ${printed(options?.olderThanMs)}`;
  throw new WorkerProgressError("INVALID_ARGUMENT", `Cannot find stalled jobs: ${problem}`);
}
