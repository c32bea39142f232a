import type { JobEventPayload } from "../../domain/event.js";
import type { JobStatus } from "../../domain/job-status.js";
import type { JobWrite } from "../../ports/storage.js";

/** How far a job is: what its worker said last, and what the database holds. */
export interface JobCourse {
  readonly id: string;
  readonly status: JobStatus;
  /** 0–100. */
  readonly reported: number;
  /** 0–100. */
  readonly stored: number;
  readonly step: string;
  readonly message: string;
}

/** What was counted so far. */
export interface DemoCounts {
  /** Calls of `progress()`. */
  readonly calls: number;
  readonly created: number;
  readonly started: number;
  /** Stored changes of progress alone. */
  readonly progressWritten: number;
  readonly ended: number;
  /** Events committed with their changes. */
  readonly eventsStored: number;
  /** Deliveries, repeated ones too. */
  readonly eventsReceived: number;
  readonly distinctIds: number;
}

/** Keeps what happens to the jobs of a demo and to no others. */
export class DemoRecord {
  readonly #jobs = new Map<string, JobCourse>();
  readonly #seenIds = new Set<string>();
  readonly #finished = new Set<string>();
  #onArrival: () => void = () => {};
  #counts = { calls: 0, created: 0, started: 0, progressWritten: 0, ended: 0, eventsStored: 0, eventsReceived: 0 };

  get jobs(): readonly JobCourse[] {
    return [...this.#jobs.values()];
  }

  get counts(): DemoCounts {
    return { ...this.#counts, distinctIds: this.#seenIds.size };
  }

  /** Resolves when each stored event has arrived, the last one of each job too. To be asked when all jobs were made. */
  allArrived(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onArrival = resolve;
    this.#notice();
    return promise;
  }

  created(id: string, status: JobStatus): void {
    this.#counts.created++;
    this.#jobs.set(id, { id, status, reported: 0, stored: 0, step: "", message: "" });
  }

  reported(id: string, percent: number, step: string, message: string): void {
    this.#counts.calls++;
    this.#change(id, { reported: percent, step, message });
  }

  committed({ id, expected, next, event }: JobWrite): void {
    if (!this.#jobs.has(id)) return;
    this.#change(id, { status: next.status, stored: next.progress });
    if (next.attempt !== expected.attempt) this.#counts.started++;
    else if (next.status !== expected.status) this.#counts.ended++;
    else this.#counts.progressWritten++;
    if (event !== null) this.#counts.eventsStored++;
    this.#notice();
  }

  /** Takes a delivery in. True for the first one of an event of these jobs. */
  received({ event_id: eventId, job_id: jobId, status, previous_status: previous }: JobEventPayload): boolean {
    if (!this.#jobs.has(String(jobId))) return false;
    this.#counts.eventsReceived++;
    if (this.#seenIds.has(eventId)) return false;
    this.#seenIds.add(eventId);
    if (status !== "running" && previous === "running") this.#finished.add(String(jobId));
    this.#notice();
    return true;
  }

  #notice(): void {
    const ended = this.#finished.size === this.#jobs.size;
    if (ended && this.#seenIds.size === this.#counts.eventsStored) this.#onArrival();
  }

  #change(id: string, change: Partial<JobCourse>): void {
    const course = this.#jobs.get(id);
    if (course !== undefined) this.#jobs.set(id, { ...course, ...change });
  }
}
