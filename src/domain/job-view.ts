import { type JobIdType, jsonJobId } from "./job-id.js";
import type { JobSnapshot } from "./job-snapshot.js";
import type { JobStatus } from "./job-status.js";
import type { JsonValue } from "./json.js";
import { secondsLeft } from "./rate.js";

/** What `GET /api/v1/jobs/{id}` answers: these names exactly. Instants are ISO 8601, UTC. */
export interface JobView {
  readonly id: number | string;
  readonly type: string | null;
  readonly status: JobStatus;
  readonly progress: {
    /** 0–100. */
    readonly percent: number;
    readonly step: string | null;
    readonly message: string | null;
    readonly updated_at: string | null;
  };
  /** How many attempts have begun. */
  readonly attempts: number;
  readonly cancel_requested: boolean;
  readonly artefacts: readonly JsonValue[];
  readonly queue_position: number | null;
  /** When the job first ran. */
  readonly started_at: string | null;
  readonly finished_at: string | null;
  readonly output: JsonValue;
  readonly error_code: string | null;
  readonly error_message: string | null;
  /** Points per second, weighted towards the latest. Absent unless the job runs and the table keeps a rate. */
  readonly rate?: number;
  /** Seconds left, rounded up. Absent when it would be a guess. */
  readonly eta?: number;
}

/** The read model of one stored job; `now` in milliseconds since the epoch. */
export function jobView(job: JobSnapshot, idType: JobIdType, now: number): JobView {
  return {
    id: jsonJobId(job.id, idType),
    type: job.type,
    status: job.status,
    progress: {
      percent: job.progress,
      step: job.step,
      message: job.message,
      updated_at: isoSeconds(job.progressAt ?? job.updatedAt),
    },
    attempts: job.attempt,
    cancel_requested: job.cancelRequested,
    artefacts: job.artefacts,
    queue_position: job.queuePosition,
    started_at: isoSeconds(job.startedAt),
    finished_at: isoSeconds(job.finishedAt),
    output: job.output,
    error_code: job.errorCode,
    error_message: job.errorMessage,
    ...estimates(job, now),
  };
}

function estimates(job: JobSnapshot, now: number): Pick<JobView, "rate" | "eta"> {
  if (job.status !== "running" || job.rate === null || job.progressAt === null) return {};
  const left = secondsLeft(job.rate, { percent: job.progress, at: job.progressAt }, now);
  return left === null ? {} : { rate: shown(job.rate), eta: Math.ceil(left) };
}

/** Three decimal places, or four digits where they would say less. */
function shown(rate: number): number {
  return Number(rate < 0.1 ? rate.toPrecision(4) : rate.toFixed(3));
}

// The old service answered whole seconds ("2024-01-20T10:30:00Z"); events carry milliseconds.
function isoSeconds(at: number | null): string | null {
  return at === null ? null : `${new Date(at).toISOString().slice(0, 19)}Z`;
}
