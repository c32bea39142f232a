import { type JobIdType, jsonJobId } from "./job-id.js";
import type { JobSnapshot } from "./job-snapshot.js";
import type { JobStatus } from "./job-status.js";
import type { JsonValue } from "./json.js";

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
}

/** The read model of one stored job. */
export function jobView(job: JobSnapshot, idType: JobIdType): JobView {
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
    artefacts: [],
    queue_position: null,
  };
}

// The old service answered whole seconds ("2024-01-20T10:30:00Z"); events carry milliseconds.
function isoSeconds(at: number | null): string | null {
  return at === null ? null : `${new Date(at).toISOString().slice(0, 19)}Z`;
}
