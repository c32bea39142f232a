/** Every status a job can have, in the order of a job's life. */
export const jobStatuses = [
  "pending",
  "queued",
  "running",
  "retrying",
  "completed",
  "failed",
  "cancelled",
  "timeout",
] as const;

/** One of {@link jobStatuses}. */
export type JobStatus = (typeof jobStatuses)[number];

/**
 * The one table of legal transitions within an attempt. A status may always stay as it is. Leaving a terminal status
 * is re-queueing; anything else needs a new attempt, which `startJob` begins from any status.
 */
const transitions: Readonly<Record<JobStatus, readonly JobStatus[]>> = {
  pending: ["queued", "running", "failed", "cancelled", "timeout"],
  queued: ["pending", "running", "failed", "cancelled", "timeout"],
  running: ["pending", "queued", "retrying", "completed", "failed", "cancelled", "timeout"],
  retrying: ["pending", "queued", "running", "failed", "cancelled", "timeout"],
  completed: ["pending", "queued"],
  failed: ["pending", "queued"],
  cancelled: ["pending", "queued"],
  timeout: ["pending", "queued"],
};

const terminal: ReadonlySet<JobStatus> = new Set(["completed", "failed", "cancelled", "timeout"]);

/** Whether a job in this status is over: only a new attempt or re-queueing changes it. */
export function isTerminal(status: JobStatus): boolean {
  return terminal.has(status);
}

/** Whether a job may move from one status to the other within an attempt. */
export function canTransition(from: JobStatus, to: JobStatus): boolean {
  return from === to || transitions[from].includes(to);
}

/** The statuses a job may move to within an attempt. */
export function nextStatuses(from: JobStatus): readonly JobStatus[] {
  return transitions[from];
}

/** Whether a value is one of {@link jobStatuses}, spelled exactly so. */
export function isJobStatus(value: unknown): value is JobStatus {
  return (jobStatuses as readonly unknown[]).includes(value);
}
