import type { JobEvent, JobEventPayload } from "../../src/domain/event.js";

let drawn = 0;

/** An event of its own. */
export function newEvent(values: Partial<JobEventPayload> = {}): JobEvent {
  const id = `0190f0a0-0000-7000-8000-${(++drawn).toString(16).padStart(12, "0")}`;
  const payload: JobEventPayload = {
    event_id: id,
    event_type: "job.status.changed",
    timestamp: "2024-01-20T10:30:00.900Z",
    job_id: 123,
    status: "running",
    progress: 50,
    attempt: 1,
    previous_status: "queued",
    previous_progress: 0,
    step: "processing",
    message: "Processing data",
    ...values,
  };
  return { id, jobId: String(payload.job_id), payload };
}

/** So many events. */
export function newEvents(count: number): readonly JobEvent[] {
  return Array.from({ length: count }, () => newEvent());
}
