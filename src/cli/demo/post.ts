import type { JobEventPayload } from "../../domain/event.js";

/** How tasks get to the demo's worker, and events to its consumer. */
export interface Post {
  /** Puts a task for a job where workers take theirs. */
  send(jobId: string): Promise<void>;
  /** Takes tasks, all at the same time, each given back when its handler rejects. */
  takeTasks(handle: (jobId: string) => Promise<void>): Promise<void>;
  /** Takes every delivery of an event, repeated ones too. */
  takeEvents(listener: (event: JobEventPayload) => void): Promise<void>;
  /** Never resolves; rejects when a connection is lost. */
  readonly lost: Promise<never>;
  /** Removes what it made. Idempotent. */
  close(): Promise<void>;
}
