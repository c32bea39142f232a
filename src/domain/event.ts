import { type JobIdType, jsonJobId } from "./job-id.js";
import type { JobPatch, JobSnapshot, JobVersion } from "./job-snapshot.js";
import type { JobStatus } from "./job-status.js";

/** The type of every event, and its AMQP routing key by default. */
export const eventType = "job.status.changed";

/** The payload of an event as it goes over the wire: these names exactly. */
export interface JobEventPayload {
  /** UUIDv7, fixed when the change is committed and the same on every redelivery. */
  readonly event_id: string;
  readonly event_type: typeof eventType;
  /** ISO 8601, UTC, milliseconds. */
  readonly timestamp: string;
  readonly job_id: number | string;
  readonly status: JobStatus;
  readonly progress: number;
  readonly attempt: number;
  readonly previous_status: JobStatus;
  readonly previous_progress: number;
  readonly step: string | null;
  readonly message: string | null;
  readonly error_code?: string;
  readonly error_message?: string;
}

/** An event on its way: what the outbox keeps and a publisher sends. */
export interface JobEvent {
  readonly id: string;
  /** The job's canonical id: events of one job are published in the order of their commits. */
  readonly jobId: string;
  readonly payload: JobEventPayload;
}

/** The event of one stored change. `id` is a UUIDv7 that the caller drew for this change and no other. */
export function eventOf(
  id: string,
  idType: JobIdType,
  previous: JobSnapshot,
  next: JobVersion,
  set: JobPatch,
): JobEvent {
  const errorCode = set.errorCode ?? undefined;
  const errorMessage = set.errorMessage ?? undefined;
  return {
    id,
    jobId: previous.id,
    payload: {
      event_id: id,
      event_type: eventType,
      timestamp: new Date(set.updatedAt).toISOString(),
      job_id: jsonJobId(previous.id, idType),
      status: next.status,
      progress: next.progress,
      attempt: next.attempt,
      previous_status: previous.status,
      previous_progress: previous.progress,
      step: set.step === undefined ? previous.step : set.step,
      message: set.message === undefined ? previous.message : set.message,
      ...(errorCode === undefined ? {} : { error_code: errorCode }),
      ...(errorMessage === undefined ? {} : { error_message: errorMessage }),
    },
  };
}
