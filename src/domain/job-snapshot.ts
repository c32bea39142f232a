import type { JobStatus } from "./job-status.js";
import { type JsonObject, type JsonValue, mergeJson } from "./json.js";

/** What a decision is made from and what a compare-and-set compares: the three values that only the library changes. */
export interface JobVersion {
  readonly status: JobStatus;
  /** Percent, 0–100. A stored NULL reads as 0. */
  readonly progress: number;
  /** How many attempts have begun; 0 before the first. A stored NULL reads as 0. */
  readonly attempt: number;
}

/** A job as stored, read in one piece. Instants are milliseconds since the epoch; what is not mapped or not set is null. */
export interface JobSnapshot extends JobVersion {
  readonly id: string;
  readonly type: string | null;
  readonly step: string | null;
  readonly message: string | null;
  /** The worker's own metrics, without keys that the mapping keeps step, message and timestamps in. */
  readonly metrics: JsonObject | null;
  readonly output: JsonValue | null;
  readonly errorCode: string | null;
  readonly errorMessage: string | null;
  readonly cancelRequested: boolean;
  /** Points per second, weighted towards the latest; null while unknown, 0 after a pause until it moves. */
  readonly rate: number | null;
  readonly artefacts: readonly JsonValue[];
  readonly queuePosition: number | null;
  /** When progress was last written; null when it never was. */
  readonly progressAt: number | null;
  readonly startedAt: number | null;
  readonly finishedAt: number | null;
  readonly updatedAt: number | null;
}

/** Columns to set besides the version. An absent key leaves the column as it is; null empties it. */
export interface JobPatch {
  readonly step?: string | null;
  readonly message?: string | null;
  /** Merged into the stored object key by key, so that keys of other writers stay. */
  readonly metrics?: JsonObject;
  readonly output?: JsonValue | null;
  readonly errorCode?: string | null;
  readonly errorMessage?: string | null;
  readonly cancelRequested?: boolean;
  readonly rate?: number | null;
  readonly progressAt?: number;
  /** Counts only where none is stored: between a decision and its write the job may have run, and be at the same version. */
  readonly startedAt?: number;
  readonly finishedAt?: number | null;
  readonly updatedAt: number;
}

/** The job after a write. */
export function applyPatch(job: JobSnapshot, next: JobVersion, set: JobPatch): JobSnapshot {
  return {
    ...job,
    ...next,
    ...set,
    startedAt: job.startedAt ?? set.startedAt ?? null,
    metrics: set.metrics === undefined ? job.metrics : mergeJson(job.metrics ?? {}, set.metrics),
  };
}
