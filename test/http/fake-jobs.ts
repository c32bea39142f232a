import { EventEmitter, on } from "node:events";
import { WorkerProgressError } from "../../src/domain/errors.js";
import { isTerminal } from "../../src/domain/job-status.js";
import type { JobView } from "../../src/domain/job-view.js";
import type { JobSource } from "../../src/http/job-source.js";

/** A job at 50 %, running in its first attempt. */
export function view(differences: Partial<JobView> = {}, percent = 50): JobView {
  return {
    id: 123,
    type: "model",
    status: "running",
    progress: {
      percent,
      step: "processing",
      message: "Processing frame 50 of 100",
      updated_at: "2024-01-20T10:30:00Z",
    },
    attempts: 1,
    cancel_requested: false,
    artefacts: [],
    queue_position: null,
    started_at: "2024-01-20T10:29:00Z",
    finished_at: null,
    output: null,
    error_code: null,
    error_message: null,
    ...differences,
  };
}

/** Jobs that are what a test says, watched as a reporter's are: the newest only, ended by a terminal state or the signal. */
export class FakeJobs implements JobSource {
  readonly #views = new Map<string, JobView>();
  readonly #news = new EventEmitter().setMaxListeners(0);
  readonly asked: string[] = [];
  readonly cancellations: { readonly jobId: string; readonly reason: string | undefined }[] = [];
  /** How many watch at the moment. */
  watching = 0;
  /** How many states were taken from the watches. */
  taken = 0;
  /** Thrown by every call, where set. */
  failure: unknown = null;

  set(state: JobView): void {
    this.#views.set(String(state.id), state);
    this.#news.emit(String(state.id));
  }

  /** Breaks every watch. */
  breakWatches(failure: unknown): void {
    this.failure = failure;
    for (const id of this.#views.keys()) this.#news.emit(id);
  }

  getJob: JobSource["getJob"] = async (jobId) => {
    this.asked.push(String(jobId));
    if (this.failure !== null) throw this.failure;
    return this.#views.get(String(jobId)) ?? null;
  };

  requestCancel: JobSource["requestCancel"] = async (jobId, reason) => {
    if (this.failure !== null) throw this.failure;
    const job = this.#views.get(String(jobId));
    if (job === undefined) throw new WorkerProgressError("JOB_NOT_FOUND", `There is no job "${jobId}"`);
    if (isTerminal(job.status)) throw new WorkerProgressError("JOB_FINISHED", `Job "${jobId}" is ${job.status}`);
    this.cancellations.push({ jobId: String(jobId), reason });
    this.set({ ...job, cancel_requested: true });
  };

  async *watch(jobId: Parameters<JobSource["watch"]>[0], options: Parameters<JobSource["watch"]>[1] = {}) {
    const id = String(jobId);
    this.watching++;
    try {
      const news = on(this.#news, id, options.signal === undefined ? {} : { signal: options.signal });
      let shown: JobView | undefined;
      for (;;) {
        if (this.failure !== null) throw this.failure;
        const newest = this.#views.get(id);
        if (newest === undefined) throw new WorkerProgressError("JOB_NOT_FOUND", `There is no job "${id}"`);
        if (newest !== shown) {
          shown = newest;
          this.taken++;
          yield newest;
          if (isTerminal(newest.status)) return;
        } else await news.next();
      }
    } catch (error) {
      if (!(error instanceof Error && error.name === "AbortError")) throw error;
    } finally {
      this.watching--;
    }
  }
}
